import Reconciliation
import SidecarModel

/// Supervisors die at any instant, and the next one takes up what it finds.
extension World {
    mutating func loseSupervisor() {
        guard supervisor == .running, finished == nil else { return }
        let losesKeeper = generator.chance(perMille: mix[.keeperLoss])
        loseSupervisor(losingKeeper: losesKeeper, for: generator.duration(milliseconds: 0...3000))
    }

    mutating func loseSupervisor(losingKeeper losesKeeper: Bool, for pause: Duration) {
        guard supervisor == .running, finished == nil else { return }
        supervisor = .lost
        supervisors += 1
        tell { _ in "the supervisor\(losesKeeper ? " and its keeper" : "") died" }
        for slot in slots.indices {
            slots[slot].index = nil
            // Probes and hooks under way die with the supervisor, and so does what was to be said of them.
            if let life = slots[slot].life {
                lives[life].callOffProbes()
                // What was not yet a state is counted anew.
                lives[life].health.forgetCounts(in: slots[slot].state)
                lives[life].forgetLimits()
            }
            for life in slots[slot].unreleased {
                lives[life].callOffProbes()
                lives[life].owesEmptied = false
                lives[life].forgetLimits()
            }
        }
        if losesKeeper { loseStatuses() }
        heap.schedule(.supervisorReturns, at: now + pause)
    }

    /// The keeper is gone: how the processes it was the parent of end is not known any more.
    mutating func loseStatuses() {
        for slot in slots {
            for life in slot.unreleased {
                lives[life].statusIsLost = true
                if !lives[life].leaderIsAlive { lives[life].exit = .unknown }
            }
        }
    }

    mutating func supervisorReturns() throws(InvariantBroken) {
        guard supervisor == .lost else { return }
        supervisor = .running
        tell { _ in "a supervisor takes up the project" }
        try restore()
        if let hurry { try deliver(.hurry(hurry), to: nil) }
    }

    /// A project that was down is brought up again. Nothing is remembered but how far its incarnations counted, and
    /// who could not be ended.
    mutating func beginAgain() throws(InvariantBroken) {
        finished = nil
        isShuttingDown = false
        endsWithPrimary = false
        hurry = nil
        for slot in slots.indices {
            slots[slot].succeeded = nil
            if slots[slot].unreleased.isEmpty { slots[slot].record = nil }
        }
        try restore()
        try request(.apply(plan, selection: nil))
    }

    private mutating func restore() throws(InvariantBroken) {
        core = Reconciler(
            plan: bug?.plan(plan) ?? plan, seed: generator.next(), firstIncarnation: highestIncarnation.number + 1)
        slotAt.removeAll(keepingCapacity: true)
        var records: [(InstanceRecord, Survival)] = []
        for slot in slots.indices {
            guard var record = slots[slot].record else { continue }
            // As the supervisor does, which reads first that the project is not wanted.
            if isToBeDown { record.isWanted = false }
            let survival = take(slot, record)
            tell { "    \($0.slots[slot].label) \(record.state): \(survival)" }
            records.append((record, bug?.survival(survival, of: record) ?? survival))
        }
        core.restore(records, at: now)
        mapSlots()
        grantNewLimits()
        for slot in slots.indices {
            let before = slots[slot].state
            let status = slots[slot].index.flatMap { core.status(of: $0) }
            slots[slot].state = status?.state ?? .stopped
            slots[slot].since = status?.since ?? now
            noteHealth(slot, from: before, to: slots[slot].state)
            if slots[slot].state == .failed || slots[slot].state == .blocked { excuseBranch(of: slot) }
        }
        // What `restore` itself says of states is where the next supervisor's story begins.
        _ = core.takeTransitions()
        if isToBeDown {
            try deliver(.shutdown(by: .user), to: nil)
        } else {
            try turn(about: nil)
        }
    }

    /// What a supervisor takes up is given its time by what the manifest says now, from when it was begun or from now.
    private mutating func grantNewLimits() {
        for slot in slots.indices {
            // What is no longer declared is ended by the defaults, in no order: nothing else is known of it.
            if !slots[slot].isDeclared {
                slots[slot].rules = Rules(SidecarSpec(name: slots[slot].sidecar), edges: [], of: plan)
            }
            let rules = slots[slot].rules
            for life in slots[slot].unreleased {
                lives[life].longestStop = max(lives[life].longestStop, rules.longestStop)
            }
            guard let life = slots[slot].life else { continue }
            lives[life].limits = Limits(rules, from: now)
            lives[life].limits.runsFrom = now
        }
        mapDependents()
    }

    /// Finds out what became of a recorded life.
    private mutating func take(_ slot: Int, _ record: InstanceRecord) -> Survival {
        for life in slots[slot].unreleased
        where lives[life].incarnation.number != record.incarnation && lives[life].isEmpty {
            // The record moved on before the release was performed: the keeper frees what no record names.
            lives[life].isReleased = true
        }
        slots[slot].unreleased.removeAll { lives[$0].isReleased }
        guard let life = slots[slot].unreleased.first(where: { lives[$0].incarnation.number == record.incarnation })
        else {
            // The start that was decided did not take place: it is decided again, and charged once.
            if record.state == .starting { slots[slot].wasAsked = true }
            return .neverSpawned
        }
        if lives[life].spawnFailure != nil {
            slots[slot].unreleased.removeAll { $0 == life }
            slots[slot].wasAsked = true
            return .neverSpawned
        }
        lives[life].wasToldSpawned = true
        if lives[life].leaderIsAlive {
            // What it said of itself and nobody wrote down is read again, from its log or its socket.
            announce(life, slots[slot].rules)
            return .alive(pid: slots[slot].rules.isDoor ? nil : lives[life].pid)
        }
        if !lives[life].wasToldExited { noteExit(of: life) }
        let isNews = record.state == .starting || record.state == .healthy || record.state == .unhealthy
        if lives[life].exit == .unknown, isNews { slots[slot].succeeded = nil }
        return .exited(lives[life].exit)
    }
}
