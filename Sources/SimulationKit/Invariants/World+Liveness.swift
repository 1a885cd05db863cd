import Reconciliation
import SidecarModel

/// What must come true when the faults are over.
extension World {
    /// Nothing is on its way to somewhere else.
    package var isAtRest: Bool {
        supervisor == .running
            && slots.allSatisfy { slot in
                guard slot.index != nil else { return true }
                switch slot.state {
                case .stopped, .completed, .failed, .blocked: return true
                // The news of an exit may be on its way.
                case .healthy: return slot.rules.kind == .external || slot.life.map { lives[$0].leaderIsAlive } ?? false
                case .waiting: return waitsForAnEnd(slot)
                case .starting, .unhealthy, .stopping, .backoff, .scheduled: return false
                }
            }
    }

    /// It waits for a service to end that runs well, or for another that does: that may be for ever.
    private func waitsForAnEnd(_ slot: Slot) -> Bool {
        slot.rules.edges.contains { edge in
            groups[edge.target].contains { target in
                switch slots[target].state {
                case .healthy:
                    // Who is to be replaced after such a one has not been yet, and nobody starts on it meanwhile.
                    edge.condition == .completed || slots[target].mayBeReplaced && waitsForAnEnd(slots[target])
                case .waiting: waitsForAnEnd(slots[target])
                case .starting, .unhealthy, .stopping, .stopped, .backoff, .completed, .failed, .blocked, .scheduled:
                    false
                }
            }
        }
    }

    package func checkSettled() throws(InvariantBroken) {
        if finished != nil { return }
        for index in core.instances {
            guard let status = core.status(of: index) else { continue }
            let slot = slots[slotAt[index.value]]
            if let wrong = unsettled(slot, status) {
                throw InvariantBroken(
                    invariant: .settles,
                    detail: "\(slot.label) is \(status.state) (\(status.reason)), \(wrong)")
            }
        }
    }

    /// What is not as it should be, or nil.
    private func unsettled(_ slot: Slot, _ status: InstanceStatus) -> String? {
        let isEmpty = slot.unreleased.isEmpty
        if !slot.isDeclared { return "no longer declared, and still there" }
        if slot.mayNotStart {
            if status.isWanted { return "asked to stop, and still wanted" }
            return status.state == .stopped && isEmpty ? nil : "asked to stop"
        }
        switch status.state {
        case .healthy:
            if slot.rules.kind == .external { return nil }
            guard let life = slot.life, lives[life].leaderIsAlive else { return "without a process" }
            if isLeftBehind(slot) { return slot.holdsDeadAddress ? "with a dead address" : "by an old declaration" }
            return status.isWanted ? nil : "not wanted"
        case .completed:
            if isOutdated(slot) { return "by an old declaration" }
            return isEmpty ? nil : "with processes left"
        case .failed, .blocked:
            if status.reason.isEmpty { return "without a reason" }
            if status.state == .blocked, slot.rules.edges.allSatisfy({ !$0.required || isSatisfied($0) }) {
                return "by nothing"
            }
            return isEmpty ? nil : "with processes left"
        case .stopped: return status.isWanted ? "wanted" : isEmpty ? nil : "with processes left"
        case .waiting: return waitsForAnEnd(slot) ? nil : "for too long"
        case .starting, .unhealthy, .stopping, .backoff, .scheduled: return "on its way for too long"
        }
    }

    /// It was to be replaced, and nothing was in the way.
    private func isOutdated(_ slot: Slot) -> Bool {
        guard let life = slot.life, slot.demanded == slot.rules.fingerprint else { return false }
        let isHeldUp = slots.contains { $0.index != nil && $0.state == .waiting }
        return lives[life].fingerprint != slot.rules.fingerprint && !isHeldUp
    }

    /// It lives as it was, and nothing that failed is in the way of its replacement any more.
    private func isLeftBehind(_ slot: Slot) -> Bool {
        guard isOld(slot), !slots.contains(where: { $0.index != nil && $0.state == .waiting }) else { return false }
        let siblings = slots.filter {
            $0.isDeclared && !$0.mayNotStart && $0.sidecar == slot.sidecar && $0.replica != slot.replica
        }
        guard siblings.allSatisfy({ $0.state == .healthy || $0.state == .completed }) else { return false }
        return slot.rules.edges.allSatisfy { edge in
            let targets = groups[edge.target]
            guard !targets.contains(where: { isOld(slots[$0]) || isHeldUp(slots[$0]) }) else { return false }
            return !edge.required || isSatisfied(edge)
        }
    }

    /// Of what has no process nobody sees by which declaration it is watched: it may wait its turn, for the end of a task
    /// that runs again, and those that depend on it wait for it.
    private func isHeldUp(_ slot: Slot) -> Bool {
        guard slot.rules.kind == .external else { return false }
        return slot.rules.edges.contains { edge in
            edge.required && !isSatisfied(edge)
                || groups[edge.target].contains { isOld(slots[$0]) || isHeldUp(slots[$0]) }
        }
    }

    private func isOld(_ slot: Slot) -> Bool {
        guard slot.state == .healthy, slot.rules.kind != .external, let life = slot.life else { return false }
        return slot.holdsDeadAddress || lives[life].fingerprint != slot.rules.fingerprint
    }

    /// By the states the targets are in, beyond doubt.
    private func isSatisfied(_ edge: Rules.Edge) -> Bool {
        let targets = groups[edge.target].map { slots[$0] }
        return targets.count { isSatisfied($0, edge.condition) } >= min(edge.quorum ?? targets.count, targets.count)
    }

    private func isSatisfied(_ target: Slot, _ condition: DependencySpec.Condition) -> Bool {
        guard !target.mayNotStart else { return false }
        switch condition {
        case .started: return target.state == .healthy || target.state == .completed && target.rules.kind == .task
        case .healthy: return target.state == .healthy
        case .succeeded, .completed: return target.state == .completed
        }
    }

    package func checkEnded() throws(InvariantBroken) {
        guard finished != nil else {
            let left = slots.filter { $0.state != .stopped }.map { "\($0.label) \($0.state)" }
            throw InvariantBroken(invariant: .ends, detail: "still there: \(left.joined(separator: ", "))")
        }
        for slot in slots {
            guard let life = slot.unreleased.first, !(lives[life].wasToldStuck && finished != 0) else { continue }
            throw InvariantBroken(
                invariant: .releaseEmpty, detail: "\(slot.label) \(lives[life].incarnation) was never released")
        }
    }
}
