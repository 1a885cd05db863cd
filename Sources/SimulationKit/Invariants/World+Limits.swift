import Reconciliation
import SidecarModel

/// What must not go on for too long, and not happen to too many at once.
extension World {
    /// Looked at after every turn: whatever was due is done by then, however late the turn was.
    func checkLimits() throws(InvariantBroken) {
        // In place: a copy of a slot for each turn would cost more than the turn.
        for slot in slots.indices where slots[slot].index != nil {
            for life in slots[slot].unreleased {
                guard let limit = lives[life].killedBy, limit < now else { continue }
                throw limitBroken(.endBounded, life, limit)
            }
            guard let life = slots[slot].life, slots[slot].state.isAlive, slots[slot].rules.kind != .external else {
                continue
            }
            if slots[slot].state == .starting, let limit = lives[life].limits.startsBy, limit < now {
                throw limitBroken(.startBounded, life, limit)
            }
            if let limit = lives[life].limits.runsBy, limit < now { throw limitBroken(.runBounded, life, limit) }
        }
    }

    private func limitBroken(_ invariant: Invariant, _ life: LifeID, _ limit: Instant) -> InvariantBroken {
        InvariantBroken(
            invariant: invariant,
            detail: "\(slots[lives[life].slot].label) \(lives[life].incarnation), \((now - limit).shown) ago")
    }

    /// A life ends: by itself, for its health or its time, because it is not wanted, or for another one.
    func checkEnd(
        _ slot: Int, from state: StateName, by initiator: Initiator
    ) throws(InvariantBroken) {
        let it = slots[slot]
        guard it.isDeclared, !it.mayNotStart, !isShuttingDown, !core.isShuttingDown, let life = it.life else { return }
        let hasReason =
            switch initiator {
            case .exit: lives[life].wasToldExited
            case .probe: livenessHasFailed(life)
            case .supervisor: timeIsOver(life, in: state)
            case .user, .dependency, .apply, .watch, .schedule, .lease: it.mayBeReplaced
            }
        guard hasReason else {
            throw InvariantBroken(
                invariant: .stopHasReason, detail: "\(it.label) \(lives[life].incarnation) by \(initiator)")
        }
        if initiator == .apply || initiator == .dependency { try checkGround(slot) }
        switch initiator {
        case .exit, .probe, .supervisor: break
        // With one that is not up yet nothing is lost.
        case .user, .dependency, .apply, .watch, .schedule, .lease: if state != .starting { try checkReplacement(slot) }
        }
    }

    /// It is ended for a successor, which what it depends on must let start.
    private func checkGround(_ slot: Int) throws(InvariantBroken) {
        for edge in slots[slot].rules.edges where edge.required && !holds(edge) {
            throw InvariantBroken(
                invariant: .groundForSuccessor,
                detail: "\(slots[slot].label) is replaced, \(edge.sidecar) is not \(edge.condition)")
        }
    }

    private func livenessHasFailed(_ life: LifeID) -> Bool {
        let health = lives[life].health
        return health.holdsAnyway
            || health.livenessFailures >= slots[lives[life].slot].rules.thresholds.livenessFailure
    }

    private func timeIsOver(_ life: LifeID, in state: StateName) -> Bool {
        let limits = lives[life].limits
        let age = now - lives[life].begun
        let startIsOver = state == .starting && limits.startTimeout > .zero && age >= limits.startTimeout
        return startIsOver || limits.runTimeout.map { age >= $0 } ?? false
    }

    /// An old life is told to end so that a new one can begin: while none of its siblings is between two.
    func checkReplacement(_ slot: Int) throws(InvariantBroken) {
        guard slots[slot].isDeclared, !slots[slot].mayNotStart, !isShuttingDown else { return }
        for sibling in slots where sibling.sidecar == slots[slot].sidecar && sibling.replica != slots[slot].replica {
            guard isDown(sibling) else { continue }
            throw InvariantBroken(
                invariant: .oneAtATime,
                detail: "\(slots[slot].label) is replaced while \(sibling.label) is \(sibling.state)")
        }
    }

    /// Wanted, on its way, and not there: but for what can't be ended, or crashes again and again, which nobody waits for.
    private func isDown(_ slot: Slot) -> Bool {
        guard let status = slot.index.flatMap({ core.status(of: $0) }), status.isWanted else { return false }
        switch slot.state {
        case .waiting, .starting: return true
        case .stopping: return !slot.unreleased.contains { lives[$0].wasToldStuck }
        case .stopped, .blocked, .backoff, .failed, .completed, .healthy, .unhealthy, .scheduled: return false
        }
    }

    /// A failure halts what would have followed it: its siblings and who depends on them may keep their old lives.
    mutating func excuseBranch(of slot: Int) {
        var branch = slots.indices.filter { slots[$0].sidecar == slots[slot].sidecar }
        var head = 0
        while head < branch.count {
            slots[branch[head]].demanded = nil
            branch += dependents[branch[head]].filter { !branch.contains($0) }
            head += 1
        }
    }

    /// Nobody asks too often.
    func checkPace(_ life: LifeID, _ role: ProbeRole) throws(InvariantBroken) {
        let it = lives[life]
        guard let last = it.probedAt[role.place], !it.health.holdsAnyway else { return }
        let period = slots[it.slot].rules.period(of: role)
        let pause = it.hasAnswered[role.place] ? period : min(.milliseconds(1), period)
        guard now < last + pause else { return }
        throw InvariantBroken(
            invariant: .probePaced,
            detail:
                "\(role) of \(slots[it.slot].label) \(it.incarnation) after \((now - last).shown), not \(pause.shown)")
    }
}
