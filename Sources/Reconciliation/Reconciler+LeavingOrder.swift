/// What stops together stops in order: dependents first, as they may still write through the sockets of what they need.
///
/// What lies between two of them and has nothing left that lives (a migration that is done, a sidecar that was stopped
/// before) holds their order all the same.
extension Reconciler {
    func waitsForDependents(_ slot: Int) -> Bool {
        guard !slots[slot].isWanted else { return false }
        return visit(from: slots[slot].group, along: { groups[$0].dependents }, until: isLeaving)
    }

    /// Those that stay are not waited for.
    func dependentsLeaving(before slot: Int) -> [Int] {
        guard !slots[slot].isWanted else { return [] }
        var leaving: [Int] = []
        visit(from: slots[slot].group, along: { groups[$0].dependents }) { group in
            if isLeaving(group) { leaving.append(group) }
            return false
        }
        return leaving
    }

    /// Those whose turn it may be, now that something of this group changed, look again.
    mutating func wakeQueuedDependencies(of group: Int) {
        // While others of it leave, they would only find that they have to wait on.
        guard leavers > 0, !isLeaving(group) else { return }
        var queued: [Int] = []
        visit(from: group, along: { groups[$0].edges.map(\.target) }) { target in
            for slot in groups[target].instances {
                if case .stopping(_, let stop) = slots[slot].phase, case .queued = stop.step { queued.append(slot) }
            }
            return false
        }
        for slot in queued { touch(slot) }
    }

    private func isLeaving(_ group: Int) -> Bool { groups[group].instances.contains { slots[$0].isLeaving } }

    /// The neighbours in one direction, and theirs behind those of which nothing lives; each once, until one is found.
    /// Answers whether one was.
    @discardableResult
    private func visit(from group: Int, along next: (Int) -> [Int], until isFound: (Int) -> Bool) -> Bool {
        var stack = next(group)
        var isSeen: Set<Int> = []
        while let group = stack.popLast() {
            guard isSeen.insert(group).inserted else { continue }
            if isFound(group) { return true }
            if groups[group].instances.allSatisfy({ slots[$0].isGone }) { stack += next(group) }
        }
        return false
    }
}
