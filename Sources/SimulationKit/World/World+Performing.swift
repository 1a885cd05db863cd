import Reconciliation
import SidecarModel

/// What the core's effects do to the world. Each is judged before it is carried out.
extension World {
    mutating func perform(_ effect: Effect) throws(InvariantBroken) {
        switch effect {
        case .spawn(let index, let incarnation): try spawn(try slot(at: index), incarnation)
        case .runHook(let index, let incarnation, let event, _):
            try runHook(try slot(at: index), incarnation, event)
        case .probe(let index, let incarnation, let role): try probe(try slot(at: index), incarnation, role)
        case .endProbes(let index, let incarnation):
            guard let life = life(of: try slot(at: index), incarnation) else { return }
            lives[life].callOffProbes()
        case .signal(let index, let incarnation, let signal, let target):
            let life = try process(of: index, incarnation, for: effect)
            try checkSignal(life, signal)
            if isFailing { return }
            react(life, to: signal, reaches: target)
        case .clear(let index, let incarnation, let signal):
            let life = try process(of: index, incarnation, for: effect)
            try clear(life, signal)
        case .kill(let index, let incarnation):
            let life = try process(of: index, incarnation, for: effect)
            try checkKill(life)
            kill(life)
        case .inspect(let index, let incarnation):
            let life = try process(of: index, incarnation, for: effect)
            scheduleAnswer(.survived, of: life, after: .microseconds(100))
        case .release(let index, let incarnation): try release(try slot(at: index), incarnation)
        case .retire(let index): try retire(try slot(at: index))
        case .finish(let code): try finish(code)
        }
    }

    /// The slot at a place the core speaks of.
    private func slot(at index: InstanceIndex) throws(InvariantBroken) -> Int {
        guard slotAt.indices.contains(index.value), slotAt[index.value] >= 0 else {
            throw InvariantBroken(invariant: .ownProcess, detail: "there is no instance at place \(index.value)")
        }
        return slotAt[index.value]
    }

    /// The life of that incarnation, when it is the slot's latest.
    func life(of slot: Int, _ incarnation: Incarnation) -> LifeID? {
        if let life = slots[slot].life, lives[life].incarnation == incarnation { return life }
        return slots[slot].unreleased.first { lives[$0].incarnation == incarnation }
    }

    /// A life that has a process the core was told of.
    private func process(
        of index: InstanceIndex, _ incarnation: Incarnation, for effect: Effect
    ) throws(InvariantBroken) -> LifeID {
        let slot = try slot(at: index)
        guard let life = life(of: slot, incarnation), lives[life].wasToldSpawned, !lives[life].isReleased else {
            throw InvariantBroken(invariant: .ownProcess, detail: "\(describe(effect)), which has no process")
        }
        return life
    }

    /// The life of an incarnation that begins, or began with its `pre_start` hook.
    mutating func openLife(_ slot: Int, _ incarnation: Incarnation) throws(InvariantBroken) -> LifeID {
        if let life = life(of: slot, incarnation) { return life }
        guard incarnation > slots[slot].highestIncarnation else {
            throw InvariantBroken(
                invariant: .freshIncarnation,
                detail: "\(slots[slot].label) begins \(incarnation) after \(slots[slot].highestIncarnation)")
        }
        if slots[slot].highestIncarnation.number == 0 { try checkFirstStart(slot) }
        slots[slot].highestIncarnation = incarnation
        highestIncarnation = max(highestIncarnation, incarnation)
        try checkStart(slot)
        try checkRestart(slot)
        noteStart(slot)
        slots[slot].mayRunAgain = false
        slots[slot].mayBeReplaced = false
        slots[slot].isAskedToRestart = false
        slots[slot].holdsDeadAddress = false
        slots[slot].succeeded = nil
        let rules = slots[slot].rules
        let nature =
            natures[slots[slot].sidecar] ?? Nature(of: rules.kind, in: mix, drawnFrom: &generator)
        nextPID += 1
        lives.append(
            Life(
                slot: slot, incarnation: incarnation, pid: nextPID, epoch: slots[slot].epoch,
                fingerprint: rules.fingerprint, begun: now, nature: nature, grace: rules.grace,
                longestStop: rules.longestStop, limits: Limits(rules, from: now)))
        slots[slot].life = lives.count - 1
        return lives.count - 1
    }

    private mutating func spawn(_ slot: Int, _ incarnation: Incarnation) throws(InvariantBroken) {
        try checkSpawn(slot, incarnation)
        let life = try openLife(slot, incarnation)
        slots[slot].wasStartedEver = true
        slots[slot].unreleased.append(life)
        lives[life].wasSpawned = true
        lives[life].spawnedAt = now
        if isFailing { lives[life].nature.spawnFailure = .execute }
        let nature = lives[life].nature
        if let step = nature.spawnFailure {
            lives[life].spawnFailure = step
            schedule(.spawnFailed, of: life, after: nature.spawnLatency)
            return
        }
        lives[life].leaderIsAlive = true
        lives[life].children = nature.children
        schedule(.spawned, of: life, after: nature.spawnLatency)
        announce(life, slots[slot].rules)
        if let lifetime = nature.lifetime {
            let isFault = slots[slot].rules.kind != .task
            heap.schedule(.leaderExits(life, nature.exit, isFault: isFault), at: now + lifetime)
        }
        if generator.chance(perMille: mix[.startExtension]) {
            scheduleAnswer(.startExtended, of: life, after: generator.duration(milliseconds: 5...6000))
        }
        if generator.chance(perMille: mix[.portMove]) {
            heap.schedule(.portMoves(life), at: now + generator.duration(milliseconds: 0...20_000))
        }
    }

    private mutating func runHook(
        _ slot: Int, _ incarnation: Incarnation, _ event: HookEvent
    ) throws(InvariantBroken) {
        switch event {
        case .preStart:
            let life = try openLife(slot, incarnation)
            lives[life].preStart = .running
            scheduleHook(event, of: life)
        case .preStop:
            guard let life = life(of: slot, incarnation) else { return }
            try checkStopBegins(life)
            scheduleHook(event, of: life)
        case .postStart, .onHealthy, .onUnhealthy, .onCrash, .onFailed, .postStop: break
        }
    }

    private mutating func scheduleHook(_ event: HookEvent, of life: LifeID) {
        if generator.chance(perMille: mix[.hookTimeout]) {
            let timeout = slots[lives[life].slot].rules.hookTimeout
            scheduleAnswer(.hookFinished(event, failed: true), of: life, after: timeout)
        } else {
            let failed = generator.chance(perMille: mix[.hookFailure]) || isFailing
            scheduleAnswer(.hookFinished(event, failed: failed), of: life, after: lives[life].nature.hookLatency)
        }
    }

    private mutating func probe(
        _ slot: Int, _ incarnation: Incarnation, _ role: ProbeRole
    ) throws(InvariantBroken) {
        guard let life = life(of: slot, incarnation) else {
            // An external one that was probed and replaced in the same turn: its next life is noted already.
            if slots[slot].rules.kind == .external, incarnation < slots[slot].highestIncarnation { return }
            throw InvariantBroken(invariant: .probeAlive, detail: "\(slots[slot].label) \(incarnation) is not there")
        }
        try checkProbe(life, role)
        lives[life][underWay: role] = true
        lives[life].probedAt[role.place] = now
        let generation = lives[life].probeGeneration
        let age = now - lives[life].spawnedAt
        let isReady = slots[slot].rules.kind == .external || age >= lives[life].nature.readyAfter
        var answer: ProbeAnswer = isReady && !isFailing ? .success : .failure
        var latency = generator.duration(milliseconds: 0...10)
        if generator.chance(perMille: mix[.probeTimeout]) {
            latency = slots[slot].rules.timeout(of: role)
            answer = .timeout
        } else if generator.chance(perMille: mix[.failingProbe]) {
            answer = .failure
        } else if generator.chance(perMille: mix[.foreignProbe]) {
            answer = .foreign
        } else if isReady, generator.chance(perMille: mix[.unreadableOwner]) {
            answer = .unverified
        }
        scheduleAnswer(.probed(role, answer, generation: generation), of: life, after: latency)
    }

    private mutating func react(_ life: LifeID, to signal: Signal, reaches target: SignalTarget) {
        if signal == .kill { return kill(life) }
        if lives[life].leaderIsAlive, let reaction = lives[life].nature.reaction {
            let status: ExitStatus = generator.chance(perMille: 500) ? .code(0) : .signal(signal)
            heap.schedule(.leaderExits(life, status, isFault: false), at: now + reaction)
        }
        if target == .group { reactChildren(life) }
    }

    private mutating func reactChildren(_ life: LifeID) {
        guard lives[life].children > 0, let reaction = lives[life].nature.childReaction else { return }
        heap.schedule(.childrenExit(life), at: now + reaction)
    }

    private mutating func clear(_ life: LifeID, _ signal: Signal?) throws(InvariantBroken) {
        guard lives[life].wasToldExited else {
            throw InvariantBroken(
                invariant: .clearAfterExit, detail: "\(slots[lives[life].slot].label) \(lives[life].incarnation) lives")
        }
        if lives[life].clearedAt == nil { lives[life].clearedAt = now }
        // The rest of the stop's grace, when there was a stop, and a moment in any case.
        lives[life].killedBy = max(lives[life].killedBy ?? now, now + .seconds(2))
        lives[life].owesEmptied = true
        if signal != nil, !isFailing { reactChildren(life) }
        answerIfEmpty(life)
    }

    private mutating func kill(_ life: LifeID) {
        if lives[life].killedAt == nil { lives[life].killedAt = now }
        lives[life].killedBy = nil
        lives[life].owesEmptied = true
        let end = now + (isFailing ? .seconds(3) : lives[life].nature.killLatency)
        if lives[life].leaderIsAlive { heap.schedule(.leaderExits(life, .signal(.kill), isFault: false), at: end) }
        if lives[life].children > 0 { heap.schedule(.childrenExit(life), at: end) }
        answerIfEmpty(life)
    }

    private mutating func release(_ slot: Int, _ incarnation: Incarnation) throws(InvariantBroken) {
        guard let life = life(of: slot, incarnation) else { return }
        // A supervisor that can't know what the one before it performed releases once more, and nothing is there.
        if lives[life].isReleased, lives[life].releasedBy < supervisors { return }
        try checkRelease(life)
        lives[life].isReleased = true
        lives[life].releasedBy = supervisors
        slots[slot].unreleased.removeAll { $0 == life }
    }

    private mutating func retire(_ slot: Int) throws(InvariantBroken) {
        guard slots[slot].unreleased.isEmpty, !slots[slot].isDeclared else {
            throw InvariantBroken(invariant: .retireEmpty, detail: slots[slot].label)
        }
        if let index = slots[slot].index { slotAt[index.value] = -1 }
        slots[slot].index = nil
        slots[slot].record = nil
        slots[slot].epoch += 1
        slots[slot].life = nil
        slots[slot].demanded = nil
        slots[slot].highestIncarnation = Incarnation(0)
        slots[slot].state = .stopped
        slots[slot].succeeded = nil
        slots[slot].wasStartedEver = false
        slots[slot].hasEndedEver = false
    }

    private mutating func finish(_ code: Int32) throws(InvariantBroken) {
        try checkFinish(code)
        finished = code
        supervisors += 1
    }
}
