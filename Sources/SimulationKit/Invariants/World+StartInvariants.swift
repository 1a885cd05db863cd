import Planning
import Reconciliation
import SidecarModel

/// What must be true at the moment something is started.
extension World {
    func checkSpawn(_ slot: Int, _ incarnation: Incarnation) throws(InvariantBroken) {
        let it = slots[slot]
        if let other = it.unreleased.first(where: { !lives[$0].isEmpty }) {
            throw InvariantBroken(
                invariant: .oneLife,
                detail: "\(it.label) spawns \(incarnation) while \(lives[other].incarnation) lives")
        }
        if let other = it.unreleased.first(where: { lives[$0].spawnFailure == nil }) {
            throw InvariantBroken(
                invariant: .releaseEmpty,
                detail: "\(it.label) spawns \(incarnation) before it releases \(lives[other].incarnation)")
        }
        if it.rules.hasPreStart, !it.isPrepared(incarnation, in: lives) {
            throw InvariantBroken(invariant: .hookFirst, detail: "\(it.label) \(incarnation)")
        }
        // Its hook's success and the primary's end may be told at one instant: then it is spawned, and stopped.
        let isDecided = it.rules.hasPreStart && primaryEndedAt == now
        if it.mayNotStart || isShuttingDown, !isDecided {
            throw InvariantBroken(invariant: .stopBeatsRestart, detail: it.label)
        }
    }

    /// When a life begins, with its `pre_start` hook or its spawn.
    func checkStart(_ slot: Int) throws(InvariantBroken) {
        let it = slots[slot]
        if it.mayNotStart || isShuttingDown {
            throw InvariantBroken(invariant: .stopBeatsRestart, detail: it.label)
        }
        for edge in it.rules.edges where edge.required && !holds(edge) {
            throw InvariantBroken(
                invariant: .edgesHold,
                detail: "\(it.label) starts, \(plan.sidecars[edge.target].name) is not \(edge.condition)")
        }
    }

    /// When the first life of a slot begins: what was taken out of the manifest may hold what it needs. What SIGKILL could
    /// not end is waited for by nobody.
    func checkFirstStart(_ slot: Int) throws(InvariantBroken) {
        for other in slots where other.index != nil && !other.isDeclared {
            guard let old = other.unreleased.first(where: { !lives[$0].isEmpty && !lives[$0].wasToldStuck }) else {
                continue
            }
            throw InvariantBroken(
                invariant: .newAfterOld,
                detail: "\(slots[slot].label) starts, \(other.label) \(lives[old].incarnation) lives")
        }
    }

    /// Counts the restarts nobody asked for.
    func checkRestart(_ slot: Int) throws(InvariantBroken) {
        let it = slots[slot]
        if it.rules.kind == .task, it.succeeded == it.rules.fingerprint, !it.mayRunAgain {
            throw InvariantBroken(invariant: .successKept, detail: it.label)
        }
        guard it.isAutomaticRestart, it.rules.kind != .external else { return }
        if let end = it.ownEnd {
            if let status = end.status, !it.rules.allowsRestart(after: status) {
                throw InvariantBroken(
                    invariant: .policyKept, detail: "\(it.label) after \(status), policy \(it.rules.policy)")
            }
            if now < end.at + it.rules.minimumDelay {
                throw InvariantBroken(
                    invariant: .delayKept,
                    detail: "\(it.label) \((now - end.at).shown) after its end, not \(it.rules.minimumDelay.shown)")
            }
        }
        guard it.rules.maxAttempts > 0 else { return }
        if let window = it.rules.window {
            let recent = it.restarts.count { now - $0 < window }
            if recent >= it.rules.maxAttempts {
                throw InvariantBroken(invariant: .budgetKept, detail: "\(it.label): \(recent + 1) in \(window.shown)")
            }
        } else if it.restartsInARow >= it.rules.maxAttempts {
            throw InvariantBroken(
                invariant: .budgetKept, detail: "\(it.label): \(it.restartsInARow + 1) of \(it.rules.maxAttempts)")
        }
    }

    /// A start uses up what was asked for, and counts when nothing was.
    mutating func noteStart(_ slot: Int) {
        if slots[slot].isAutomaticRestart {
            slots[slot].restartsInARow += 1
            slots[slot].restarts.append(now)
        }
        slots[slot].wasAsked = false
        slots[slot].ownEnd = nil
    }

    /// True when, by what the core was told, enough instances of the target hold the condition.
    func holds(_ edge: Rules.Edge) -> Bool {
        let targets = groups[edge.target]
        let wanted = min(edge.quorum ?? targets.count, targets.count)
        return targets.count { holds(slots[$0], edge.condition) } >= wanted
    }

    private func holds(_ target: Slot, _ condition: DependencySpec.Condition) -> Bool {
        guard let life = target.life.map({ lives[$0] }) else { return false }
        switch condition {
        case .started: return life.runsAsTold || (target.rules.kind == .task && target.wasStartedEver)
        case .healthy:
            return life.runsAsTold && life.stopBegan == nil
                && life.health.isHealthy(
                    target.rules, age: now - life.spawnedAt, settled: life.limits.settle)
        case .succeeded:
            return target.rules.kind == .task
                ? target.succeeded == target.rules.fingerprint : target.hasEndedEver && !life.runsAsTold
        case .completed: return target.hasEndedEver && !life.runsAsTold
        }
    }

    func checkProbe(_ life: LifeID, _ role: ProbeRole) throws(InvariantBroken) {
        let slot = lives[life].slot
        let isAsked =
            slots[slot].rules.has(role) && !slots[slot].rules.isPushed(role) || lives[life].health.holdsAnyway
        guard isAsked, lives[life].runsAsTold, lives[life].stopBegan == nil else {
            throw probeBroken(life, role, "does not run, or has no such probe")
        }
        guard !lives[life][underWay: role] else { throw probeBroken(life, role, "is under way") }
        try checkPace(life, role)
        if role == .startup, slots[slot].state != .starting, !lives[life].health.holdsAnyway {
            throw probeBroken(life, role, "has passed")
        }
    }

    private func probeBroken(_ life: LifeID, _ role: ProbeRole, _ detail: String) -> InvariantBroken {
        InvariantBroken(
            invariant: .probeAlive,
            detail: "\(slots[lives[life].slot].label) \(lives[life].incarnation) \(role) \(detail)")
    }
}

extension Slot {
    /// Nobody asked for this start since the one before.
    var isAutomaticRestart: Bool { wasStartedEver && !wasAsked }

    func isPrepared(_ incarnation: Incarnation, in lives: [Life]) -> Bool {
        guard let life, lives[life].incarnation == incarnation else { return false }
        return lives[life].preStart == .succeeded
    }
}
