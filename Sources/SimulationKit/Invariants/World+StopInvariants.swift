import Reconciliation
import SidecarModel

/// What must be true at the moment something is ended.
extension World {
    /// What remains when the leader is gone is granted this much.
    private static let remainderGrace = Duration.seconds(2)

    mutating func checkSignal(_ life: LifeID, _ signal: Signal) throws(InvariantBroken) {
        if signal == .kill { return try checkKill(life) }
        guard !lives[life].wasToldExited else {
            throw InvariantBroken(
                invariant: .ownProcess, detail: "\(slots[lives[life].slot].label): its leader has ended")
        }
        try checkStopBegins(life)
        // Each signal is left a moment, however late it comes.
        lives[life].killedBy = lives[life].killedBy.map { max($0, now + .seconds(2)) }
    }

    /// The first step of a stop. What is told to leave together leaves after its dependents.
    mutating func checkStopBegins(_ life: LifeID) throws(InvariantBroken) {
        let slot = lives[life].slot
        if lives[life].killedBy == nil { lives[life].killedBy = now + lives[life].longestStop }
        guard lives[life].stopBegan == nil else { return }
        lives[life].stopBegan = now
        lives[life].grace = min(lives[life].grace, slots[slot].rules.grace)
        if slots[slot].state.isAlive { try checkReplacement(slot) }
        guard slots[slot].mayNotStart, hurry != .killNow else { return }
        var stack = dependents[slot]
        var isSeen: Set<Int> = []
        while let dependent = stack.popLast() {
            guard isSeen.insert(dependent).inserted else { continue }
            let left = slots[dependent].unreleased.first { !lives[$0].isEmpty && !lives[$0].wasToldStuck }
            guard let left else {
                // Where nothing of that sidecar is there, who needs it needs what it needed.
                if slots.allSatisfy({ $0.sidecar != slots[dependent].sidecar || !$0.state.isPresent }) {
                    stack += dependents[dependent]
                }
                continue
            }
            guard slots[dependent].mayNotStart else { continue }
            throw InvariantBroken(
                invariant: .dependentsFirst,
                detail:
                    "\(slots[slot].label) is told to stop, \(slots[dependent].label) \(lives[left].incarnation) lives"
            )
        }
    }

    mutating func checkKill(_ life: LifeID) throws(InvariantBroken) {
        let it = lives[life]
        let slot = slots[it.slot]
        guard hurry == nil else { return }
        let grace = min(it.grace, slot.rules.grace)
        if it.wasToldExited {
            let granted = min(grace, Self.remainderGrace)
            if let began = it.stopBegan, now >= began + grace { return }
            if let cleared = it.clearedAt, now >= cleared + granted { return }
        } else if let began = it.stopBegan, now >= began + grace {
            return
        }
        throw InvariantBroken(
            invariant: .graceKept,
            detail: "\(slot.label) \(it.incarnation): grace \(grace.shown), stop began "
                + (it.stopBegan.map { "\((now - $0).shown) ago" } ?? "never"))
    }

    func checkRelease(_ life: LifeID) throws(InvariantBroken) {
        let it = lives[life]
        let wasNeverThere = !it.wasSpawned || it.spawnFailure != nil
        guard !it.isReleased, it.isEmpty, it.wasToldEmptied || wasNeverThere else {
            throw InvariantBroken(
                invariant: .releaseEmpty,
                detail: "\(slots[it.slot].label) \(it.incarnation) is released"
                    + (it.isReleased ? " again" : it.isEmpty ? " before it is said to be empty" : " while it lives"))
        }
    }

    func checkFinish(_ code: Int32) throws(InvariantBroken) {
        guard isShuttingDown || slots.contains(where: \.isPrimaryAtItsEnd) else {
            throw InvariantBroken(invariant: .finishEmpty, detail: "nobody asked for it")
        }
        for life in lives where !life.isEmpty {
            guard life.wasToldStuck, code != 0 else {
                throw InvariantBroken(
                    invariant: .finishEmpty, detail: "\(slots[life.slot].label) \(life.incarnation) lives")
            }
        }
    }
}

extension StateName {
    /// Something of it runs, is being started, or stands for what runs elsewhere.
    fileprivate var isPresent: Bool {
        switch self {
        case .starting, .healthy, .unhealthy, .stopping: true
        case .stopped, .waiting, .blocked, .backoff, .failed, .completed, .scheduled: false
        }
    }
}
