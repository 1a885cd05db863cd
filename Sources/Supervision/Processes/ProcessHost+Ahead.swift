import CProcess

/// What a start will need is made while nobody waits for it.
extension ProcessHost {
    /// Does on the spawner's thread, once that has nothing to do, what saves a later start some time.
    package func performWhenIdle(_ work: @escaping @Sendable () -> Void) { spawner?.performWhenIdle(work) }

    /// Makes the next spawn's cgroup. It stays empty until then, however long; what removes the project's cgroup removes
    /// it too.
    func makeSpare() {
        guard spare == nil, let groups, let slot = try? takeSlot() else { return }
        spare = slot
        let next = ProcessID(slot: slot, generation: records.slot(slot).pointee.generation &+ 1)
        spawner?.performWhenIdle { groups.prepare(next) }
    }
}
