import CProcess
import Synchronization

/// The cgroup of the spawn to come: made while nobody waits for it, and by nobody any more once the spawn is asked for.
final class SpareGroup: Sendable {
    private let wanted = Mutex<ProcessID?>(nil)

    /// From now on `make` makes that one.
    func want(_ id: ProcessID?) { wanted.withLock { $0 = id } }

    /// Inside the lock, so that it never comes after the removal of the one that the spawn made and left.
    func make(in groups: ControlGroups) {
        wanted.withLock { id in
            if let id { groups.prepare(id) }
            id = nil
        }
    }
}

/// What a start will need is made while nobody waits for it.
extension ProcessHost {
    /// Does on the spawner's thread, once that has nothing to do, what saves a later start some time.
    package func performWhenIdle(_ work: @escaping @Sendable () -> Void) { spawner?.performWhenIdle(work) }

    /// Makes the next spawn's cgroup. It stays empty until then, however long; what removes the project's cgroup removes
    /// it too.
    func makeSpare() {
        guard spare == nil, let groups, let slot = try? takeSlot() else { return }
        spare = slot
        spareGroup.want(ProcessID(slot: slot, generation: records.slot(slot).pointee.generation &+ 1))
        spawner?.performWhenIdle { [spareGroup] in spareGroup.make(in: groups) }
    }

    /// The slot it is made for.
    func takeSpare() -> UInt32? {
        guard let slot = spare else { return nil }
        spareGroup.want(nil)
        spare = nil
        return slot
    }
}
