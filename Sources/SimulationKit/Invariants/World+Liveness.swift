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
                case .healthy: edge.condition == .completed
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
            return status.isWanted ? nil : "not wanted"
        case .completed: return isEmpty ? nil : "with processes left"
        case .failed, .blocked:
            if status.reason.isEmpty { return "without a reason" }
            return isEmpty ? nil : "with processes left"
        case .stopped: return status.isWanted ? "wanted" : isEmpty ? nil : "with processes left"
        case .waiting: return waitsForAnEnd(slot) ? nil : "for too long"
        case .starting, .unhealthy, .stopping, .backoff, .scheduled: return "on its way for too long"
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
