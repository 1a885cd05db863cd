import Planning
import Reconciliation
import SidecarModel

/// What happens by itself, and how the core comes to know.
extension World {
    mutating func happen(_ event: Event) throws(InvariantBroken) {
        switch event {
        case .fact(let life, let fact, let supervisor):
            guard supervisor == supervisors, self.supervisor == .running else { return }
            try tell(fact, of: life)
        case .repeated(let life, let fact):
            guard supervisor == .running else { return }
            try repeatToCore(fact, of: life)
        case .leaderExits(let life, let status, let isFault): leaderExits(life, status, isFault: isFault)
        case .childrenExit(let life):
            lives[life].children = 0
            answerIfEmpty(life)
        case .portMoves(let life):
            guard supervisor == .running, let index = slots[lives[life].slot].index else { return }
            forgiveDependents(of: lives[life].slot)
            try deliver(.portMoved(index), to: lives[life].slot)
        case .pushes(let life, let role):
            guard lives[life].leaderIsAlive else { return }
            guard supervisor == .running, lives[life].wasToldSpawned else {
                // The socket and the log outlive the supervisor: what was said is heard by the next one.
                heap.schedule(event, at: now + .milliseconds(500))
                return
            }
            schedule(.probed(role, .success, generation: lives[life].probeGeneration), of: life, after: .zero)
        case .operatorActs: try operatorActs()
        case .supervisorReturns: try supervisorReturns()
        }
        if supervisor == .running, generator.chance(perMille: mix[.supervisorCrash]) { loseSupervisor() }
    }

    /// Lets a sidecar say what it says of itself, once it is ready.
    mutating func announce(_ life: LifeID, _ rules: Rules) {
        let nature = lives[life].nature
        let ready = lives[life].spawnedAt + max(nature.readyAfter, nature.spawnLatency)
        for role in [ProbeRole.startup, .readiness] where rules.isPushed(role) {
            heap.schedule(.pushes(life, role), at: max(now, ready))
        }
    }

    /// Facts of one life keep their order on their way.
    mutating func schedule(_ fact: Fact, of life: LifeID, after delay: Duration) {
        let at = max(now + delay, lives[life].lastFactAt + .nanoseconds(1))
        lives[life].lastFactAt = at
        heap.schedule(.fact(life, fact, supervisor: supervisors), at: at)
    }

    /// Answers to questions need not wait for facts.
    mutating func scheduleAnswer(_ fact: Fact, of life: LifeID, after delay: Duration) {
        heap.schedule(.fact(life, fact, supervisor: supervisors), at: now + delay)
    }

    private mutating func tell(_ fact: Fact, of life: LifeID) throws(InvariantBroken) {
        let slot = lives[life].slot
        guard let index = slots[slot].index, finished == nil else { return }
        if case .probed(let role, _, let generation) = fact {
            if generation == lives[life].probeGeneration {
                lives[life][underWay: role] = false
            } else {
                // It was called off, and may come all the same, sooner or later.
                guard generator.chance(perMille: mix[.lateAnswer]) else { return }
                heap.schedule(.repeated(life, fact), at: now + lateness())
                return
            }
        }
        note(fact, of: life, isRepeated: false)
        if generator.chance(perMille: mix[.duplicateFact]) {
            heap.schedule(.repeated(life, fact), at: now + lateness())
        }
        let isCurrent = slots[slot].life == life
        try deliver(lives[life].input(for: fact, at: index, slots[slot].rules), to: slot, isCurrent: isCurrent)
    }

    /// Tells the core again what it was told of somebody's current life, whatever has become of it.
    mutating func echo() throws(InvariantBroken) {
        let resting = slots.indices.filter { !slots[$0].state.isAlive }
        guard let slot = generator.pick(resting), let life = slots[slot].life else { return }
        let it = lives[life]
        var told: [Fact] = []
        if it.wasToldSpawned, it.wasSpawned { told.append(.spawned) }
        if it.spawnFailure != nil, it.isReleased { told.append(.spawnFailed) }
        if it.preStart == .succeeded || it.preStart == .failed {
            told.append(.hookFinished(.preStart, failed: it.preStart == .failed))
        }
        if it.wasToldExited { told.append(.exited) }
        if it.wasToldEmptied { told.append(.emptied) }
        if it.wasToldStuck { return try repeatToCore(.survived, of: life) }
        if it.wasSpawned { told.append(.startExtended) }
        if it.stopBegan != nil, slots[slot].rules.hasPreStop { told.append(.hookFinished(.preStop, failed: false)) }
        for role in ProbeRole.allCases where slots[slot].rules.has(role) {
            told.append(.probed(role, generator.chance(perMille: 500) ? .success : .failure, generation: -1))
        }
        guard let fact = generator.pick(told) else { return }
        try repeatToCore(fact, of: life)
    }

    /// Mostly soon, sometimes when much else has happened.
    private mutating func lateness() -> Duration {
        generator.duration(milliseconds: generator.chance(perMille: 500) ? 0...100 : 0...20_000)
    }

    private mutating func repeatToCore(_ fact: Fact, of life: LifeID) throws(InvariantBroken) {
        let slot = lives[life].slot
        guard let index = slots[slot].index, finished == nil, lives[life].epoch == slots[slot].epoch else { return }
        let isCurrent = slots[slot].life == life
        // A check answers once: what comes twice, or late, is an answer to a life that is over or on its way out.
        if isCurrent, slots[slot].state.isAlive, case .probed(let role, _, _) = fact {
            guard role == .startup, slots[slot].state != .starting else { return }
        }
        note(fact, of: life, isRepeated: true)
        try deliver(lives[life].input(for: fact, at: index, slots[slot].rules), to: slot, isCurrent: isCurrent)
    }

    /// Keeps what the core was told, for the invariants to judge it by.
    private mutating func note(_ fact: Fact, of life: LifeID, isRepeated: Bool) {
        let slot = lives[life].slot
        switch fact {
        case .spawned:
            if !lives[life].wasToldSpawned { lives[life].limits.runsFrom = now }
            lives[life].wasToldSpawned = true
        case .spawnFailed:
            if !isRepeated { slots[slot].ownEnd = Slot.OwnEnd(at: now, status: nil) }
        case .hookFinished(let event, let failed):
            guard event == .preStart, !isRepeated else { return }
            lives[life].preStart = failed ? .failed : .succeeded
            if failed { slots[slot].ownEnd = Slot.OwnEnd(at: now, status: nil) }
        case .probed(let role, let answer, let generation):
            let wasAskedFor = !isRepeated && generation == lives[life].probeGeneration
            if wasAskedFor, answer.isSuccess { lives[life].hasAnswered[role.place] = true }
            lives[life].health.note(
                answer, role, wasAskedFor: wasAskedFor,
                thresholds: slots[slot].rules.thresholds)
        case .startExtended:
            let asked = now + .seconds(2)
            lives[life].limits.extendedTo = max(lives[life].limits.extendedTo ?? asked, asked)
        case .exited:
            if !isRepeated { noteExit(of: life) }
        case .emptied:
            lives[life].wasToldEmptied = true
        case .survived:
            if !lives[life].isEmpty { lives[life].wasToldStuck = true }
        }
    }

    mutating func noteExit(of life: LifeID) {
        let slot = lives[life].slot
        lives[life].wasToldExited = true
        slots[slot].hasEndedEver = true
        // What was to be stopped for its health or its time did not end by itself, even when it was quicker.
        let isOwn = lives[life].stopBegan == nil && slots[slot].state != .stopping
        slots[slot].ownEnd = Slot.OwnEnd(at: now, status: isOwn ? lives[life].exit : nil)
        let rules = slots[slot].rules
        // Nor is what was asked to stop remembered as done, when it got through before its turn to be stopped came.
        if rules.kind == .task, isOwn, !slots[slot].mayNotStart, rules.isSuccess(lives[life].exit) {
            slots[slot].succeeded = lives[life].fingerprint
        }
    }

    private mutating func leaderExits(_ life: LifeID, _ status: ExitStatus, isFault: Bool) {
        guard lives[life].leaderIsAlive, !(isFault && isCalm) else { return }
        lives[life].leaderIsAlive = false
        lives[life].exit = lives[life].statusIsLost ? .unknown : status
        schedule(.exited, of: life, after: .microseconds(100))
        answerIfEmpty(life)
    }

    /// Says that nothing lives any more to whoever waits for it.
    mutating func answerIfEmpty(_ life: LifeID) {
        guard lives[life].owesEmptied, lives[life].isEmpty else { return }
        lives[life].owesEmptied = false
        schedule(.emptied, of: life, after: .microseconds(50))
    }

    /// Every port becomes another one: whoever runs when all is calm again runs with those of then.
    mutating func movePorts() throws(InvariantBroken) {
        for slot in slots.indices {
            guard supervisor == .running, finished == nil, let index = slots[slot].index else { continue }
            forgiveDependents(of: slot)
            try deliver(.portMoved(index), to: slot)
        }
    }

    /// Whoever holds the address of a port that moved may be replaced, against no budget.
    private mutating func forgiveDependents(of slot: Int) {
        let name = slots[slot].sidecar
        for (position, sidecar) in plan.sidecars.enumerated() where sidecar.refers(to: name) {
            for dependent in groups[position] where !slots[dependent].mayNotStart {
                slots[dependent].ask()
                slots[dependent].mayBeReplaced = true
                slots[dependent].holdsDeadAddress = true
            }
        }
    }
}
