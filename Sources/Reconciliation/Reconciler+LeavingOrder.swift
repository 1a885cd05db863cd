/// What stops together stops in order: dependents first, as they may still write through the sockets of what they need.
///
/// What lies between two of them and has nothing left that lives (a migration that is done, a sidecar that was stopped
/// before) holds their order all the same.
extension Reconciler {
    func waitsForDependents(_ slot: Int) -> Bool {
        guard !slots[slot].isWanted else { return false }
        let dependents = groups[slots[slot].group].dependents
        return dependents.contains(where: isLeaving) || !dependentsLeaving(before: slot).isEmpty
    }

    /// Those that stay are not waited for.
    func dependentsLeaving(before slot: Int) -> [Int] {
        guard !slots[slot].isWanted else { return [] }
        var leaving: [Int] = []
        visit(from: slots[slot].group, along: { groups[$0].dependents }) { group in
            if isLeaving(group) { leaving.append(group) }
        }
        return leaving
    }

    /// Those whose turn it may be, now that something of this group changed, look again.
    mutating func wakeQueuedDependencies(of group: Int) {
        guard leavers > 0 else { return }
        var queued: [Int] = []
        visit(from: group, along: { groups[$0].edges.map(\.target) }) { target in
            for slot in groups[target].instances {
                if case .stopping(_, let stop) = slots[slot].phase, case .queued = stop.step { queued.append(slot) }
            }
        }
        for slot in queued { touch(slot) }
    }

    private func isLeaving(_ group: Int) -> Bool { groups[group].instances.contains { slots[$0].isLeaving } }

    /// The neighbours in one direction, and theirs behind those of which nothing lives; each once.
    private func visit(from group: Int, along next: (Int) -> [Int], _ body: (Int) -> Void) {
        var stack = next(group)
        var isSeen: Set<Int> = []
        while let group = stack.popLast() {
            guard isSeen.insert(group).inserted else { continue }
            body(group)
            if groups[group].instances.allSatisfy({ slots[$0].isGone }) { stack += next(group) }
        }
    }
}
