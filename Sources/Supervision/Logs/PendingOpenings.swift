import Synchronization

/// Instances that are about to begin a new life, of which the pump has not heard yet.
///
/// The next life may write before the pump comes to what was sent ahead of its opening: while an opening is pending,
/// nothing is moved for its instance, so that no line is taken for one of the life before.
final class PendingOpenings: Sendable {
    private let counts = Mutex<[LogInstance: Int]>([:])

    func add(_ instance: LogInstance) { counts.withLock { $0[instance, default: 0] += 1 } }

    func remove(_ instance: LogInstance) {
        counts.withLock { counts in
            guard let count = counts[instance] else { return }
            counts[instance] = count > 1 ? count - 1 : nil
        }
    }

    func contains(_ instance: LogInstance) -> Bool { counts.withLock { $0[instance] != nil } }
}
