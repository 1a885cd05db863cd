import Planning
import Reconciliation
import SidecarModel

/// What the core says of itself, held against the model and against the facts it was told.
extension World {
    mutating func note(_ transition: Transition) throws(InvariantBroken) {
        guard slotAt.indices.contains(transition.instance.value), slotAt[transition.instance.value] >= 0 else { return }
        let slot = slotAt[transition.instance.value]
        tell { "    \($0.slots[slot].label) \(transition.from) → \(transition.to): \(transition.cause)" }
        let before = slots[slot].state
        guard transition.from == before, StateName.follow(transition.from, transition.to) else {
            throw InvariantBroken(
                invariant: .legalTransition,
                detail: "\(slots[slot].label) \(transition.from) → \(transition.to), was \(before)")
        }
        slots[slot].state = transition.to
        slots[slot].since = now
        guard transition.to != before else { return }
        if transition.to == .failed || transition.to == .blocked { excuseBranch(of: slot) }
        if before.isAlive, transition.to == .stopping { try checkEnd(slot, from: before, by: transition.initiator) }
        noteHealth(slot, from: before, to: transition.to)
        if before == .failed { slots[slot].excuseStart() }
        if transition.to == .starting {
            if slots[slot].rules.kind == .external {
                // It has no spawn: its life begins with the decision to look at it.
                let life = try openLife(slot, transition.incarnation)
                lives[life].wasToldSpawned = true
            }
            try checkParallel(slot)
        }
        if transition.to == .healthy { try checkHealthy(slot) }
    }

    /// Health that lasted clears the count, but what a window counts.
    mutating func noteHealth(_ slot: Int, from old: StateName, to new: StateName) {
        guard old != new else { return }
        if old == .healthy, let since = slots[slot].healthySince {
            if now - since >= slots[slot].rules.resetAfter { slots[slot].restartsInARow = 0 }
            slots[slot].healthySince = nil
        }
        if new == .healthy { slots[slot].healthySince = now }
    }

    private func checkParallel(_ slot: Int) throws(InvariantBroken) {
        guard let limit = plan.project.maxParallelStarts, slots[slot].rules.kind != .external else { return }
        let starting = slots.count { $0.state == .starting && $0.rules.kind != .external }
        if starting > limit {
            throw InvariantBroken(
                invariant: .parallelKept, detail: "\(slots[slot].label) is number \(starting) of at most \(limit)")
        }
    }

    private func checkHealthy(_ slot: Int) throws(InvariantBroken) {
        let it = slots[slot]
        guard let life = it.life.map({ lives[$0] }), life.runsAsTold, life.stopBegan == nil,
            life.health.isHealthy(it.rules, age: now - life.spawnedAt, settled: life.limits.settle)
        else {
            throw InvariantBroken(invariant: .healthFollowsProbes, detail: it.label)
        }
    }
}

extension StateName {
    /// A life is under way and not told to end.
    var isAlive: Bool { self == .starting || self == .healthy || self == .unhealthy }

    /// The states one state may give way to.
    static func follow(_ old: StateName, _ new: StateName) -> Bool {
        // The same state for another reason is news too.
        if old == new { return true }
        switch old {
        case .stopped, .waiting, .blocked, .completed, .failed, .backoff, .scheduled:
            // Nothing runs: it may only wait, begin, or rest.
            return new != .healthy && new != .unhealthy && new != .stopping
        case .starting: return new != .unhealthy && new != .scheduled
        case .healthy: return new != .starting && new != .scheduled && new != .waiting
        case .unhealthy: return new != .starting && new != .scheduled && new != .waiting
        case .stopping: return new != .healthy && new != .unhealthy && new != .scheduled
        }
    }
}
