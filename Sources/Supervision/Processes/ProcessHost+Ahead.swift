import CProcess
import Glibc
import Synchronization

/// The cgroup of the spawn to come: made while nobody waits for it, and by nobody any more once the spawn is asked for.
final class SpareGroup: Sendable {
    private struct State {
        /// To be made.
        var wanted: ProcessID?
        /// The descriptor of the one that is made.
        var made: Int32?
    }

    private let state = Mutex(State())

    deinit { if let made = take() { close(made) } }

    /// From now on `make` makes that one.
    func want(_ id: ProcessID) { state.withLock { $0.wanted = id } }

    /// Inside the lock, so that it never comes after the removal of the one that the spawn made and left.
    func make(in groups: ControlGroups) {
        state.withLock { state in
            guard let id = state.wanted else { return }
            let descriptor = groups.make(id)
            // What failed is tried again by the spawn, and said there.
            state = State(made: descriptor >= 0 ? descriptor : nil)
        }
    }

    /// The caller's from then on. Nil: it is not made, and won't be.
    func take() -> Int32? {
        state.withLock { state in
            defer { state = State() }
            return state.made
        }
    }
}

/// What a start will need is made while nobody waits for it.
extension ProcessHost {
    /// Does on the spawner's thread, once that has nothing to do, what saves a later start some time.
    package func performWhenIdle(_ work: @escaping @Sendable () -> Void) { spawner?.performWhenIdle(work) }

    /// Makes the next spawn's cgroup, once those that were asked for are over, and none where one of them takes it before.
    /// It stays empty until then, however long; what removes the project's cgroup removes it too.
    func makeSpare() {
        guard spare == nil, let groups, let slot = try? takeSlot() else { return }
        spare = slot
        spareGroup.want(ProcessID(slot: slot, generation: records.nextGeneration(slot)))
        // By a thread that is at one of them, so that none is woken for it beside what has just begun.
        spawner?.performWhenIdle(wakes: false) { [spareGroup] in spareGroup.make(in: groups) }
    }

    /// The slot it is made for, and the cgroup once that is made.
    func takeSpare() -> (slot: UInt32, group: Int32?)? {
        guard let slot = spare else { return nil }
        spare = nil
        return (slot, spareGroup.take())
    }
}
