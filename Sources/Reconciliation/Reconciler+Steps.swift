import SidecarModel

extension Reconciler {
    /// Takes one step towards what is wanted, by time and by what others have become. True when another may follow.
    mutating func advance(_ slot: Int, at now: Instant) -> Bool {
        guard !slots[slot].isRetired else { return false }
        let wanted = slots[slot].isWanted
        switch slots[slot].phase {
        case .stopped:
            if wanted { return considerStart(slot, at: now) }
            if !slots[slot].isDeclared { retire(slot) }
            return false
        case .waiting, .blocked:
            return wanted ? considerStart(slot, at: now) : settleStopped(slot, at: now)
        case .backoff(let until):
            guard wanted else { return settleStopped(slot, at: now) }
            return until <= now ? considerStart(slot, at: now) : false
        case .failed(_, let retryAt):
            guard wanted else { return settleStopped(slot, at: now) }
            return reconsiderFailed(slot, retryAt: retryAt, at: now)
        case .completed:
            return wanted ? false : settleStopped(slot, at: now)
        case .starting, .healthy, .unhealthy:
            return advanceLife(slot, at: now)
        case .stopping:
            return advanceStop(slot, at: now)
        }
    }

    private mutating func settleStopped(_ slot: Int, at now: Instant) -> Bool {
        enter(slot, .stopped, by: slots[slot].initiator, cause: stopCause(slot), at: now)
        return true
    }

    private mutating func reconsiderFailed(_ slot: Int, retryAt: Instant?, at now: Instant) -> Bool {
        let hope = slots[slot].hasHopeFrom
        slots[slot].hasHopeFrom = []
        if let recovered = hope.first, shutdown == nil {
            change(slot) { $0.forgive() }
            let name = groups[recovered].name
            enter(
                slot, .waiting(for: []), by: .dependency, cause: "\(name) is back", causedBy: name, at: now)
            return true
        }
        guard let retryAt, retryAt <= now else { return false }
        change(slot) { $0.forgive() }
        enter(slot, .waiting(for: []), by: .supervisor, cause: "tried again after retry_failed_after", at: now)
        return true
    }

    // MARK: Starting

    private mutating func considerStart(_ slot: Int, at now: Instant) -> Bool {
        switch verdict(for: slot) {
        case .blocked(let by):
            block(slot, by: by, at: now)
            return false
        case .wait(let groups):
            if case .waiting(groups) = slots[slot].phase { return false }
            let names = groups.map { self.groups[$0].name }
            enter(
                slot, .waiting(for: groups), by: slots[slot].initiator,
                cause: "waits for \(names.joined(separator: ", "))", causedBy: names.first, at: now)
            return false
        case .go:
            // Who stands in line for its turn learns what else it waits for when that comes.
            guard !slots[slot].isInLine || takesTurn(slot) else { return standInLineForTurn(slot, at: now) }
            if waitsForApply(slot) {
                stand(slot, waiting: "waits for what the change stops", at: now)
                giveNextTurn()
                return false
            }
            guard takesTurn(slot) else { return standInLineForTurn(slot, at: now) }
            beginLife(slot, at: now)
            return true
        }
    }

    private mutating func block(_ slot: Int, by targets: [Int], at now: Instant) {
        let cause = blockedCause(targets)
        var isKnown = false
        if case .blocked(targets) = slots[slot].phase { isKnown = true }
        // By the same ones it may be for another reason by now.
        guard !isKnown || slots[slot].reason != cause else { return }
        enter(
            slot, .blocked(by: targets), by: .dependency, cause: cause, causedBy: targets.first.map { groups[$0].name },
            at: now)
        guard !isKnown else { return }
        haltReplacements(of: slots[slot].group, for: groups[slots[slot].group].name, label: label(of: slot), at: now)
    }

    private mutating func standInLineForTurn(_ slot: Int, at now: Instant) -> Bool {
        stand(slot, waiting: "waits for its turn (start.max_parallel)", at: now)
        return false
    }

    private mutating func stand(_ slot: Int, waiting cause: String, at now: Instant) {
        if case .waiting(for: []) = slots[slot].phase, slots[slot].reason == cause { return }
        enter(slot, .waiting(for: []), by: slots[slot].initiator, cause: cause, at: now)
    }

    private mutating func beginLife(_ slot: Int, at now: Instant) {
        let shared = groups[slots[slot].group].shared
        let spec = shared.value
        let incarnation = Incarnation(nextIncarnation)
        nextIncarnation += 1
        let isFirst = slots[slot].incarnation.number == 0
        change(slot) { instance in
            instance.shared = shared
            instance.incarnation = incarnation
            instance.exitOfLife = nil
            instance.startedFingerprint = spec.restartFingerprint
            instance.pendingRestart = nil
            instance.holdsDeadAddresses = false
            instance.hasHopeFrom = []
            instance.waitsForChangedRun = false
            if instance.isRestart {
                instance.restartsTotal += 1
                // Who asked for it is not charged: only what follows a failure is.
                if let window = spec.restart.window, instance.consecutiveFailures > 0 {
                    instance.recentRestarts.removeAll { now - $0 >= window }
                    instance.recentRestarts.append(now)
                }
            }
        }
        var run = Run(startedAt: now)
        run.limitStart(to: spec.start.timeout)
        let cause =
            slots[slot].isRestart ? "restart \(slots[slot].restartsTotal)" : isFirst ? "first start" : "new start"
        run.startCause = cause
        // It is counted.
        change(slot) { $0.isRestart = false }
        let initiator = slots[slot].initiator
        if spec.kind == .external {
            run.beginProbes(of: spec, at: now)
            if spec.health.readiness == nil { run.settle(from: now, for: .zero) }
            enter(slot, .starting(run, .running), by: initiator, cause: "probing", at: now)
        } else if spec.hasHook(.preStart) {
            emitHook(slot, .preStart, reason: cause)
            enter(slot, .starting(run, .preparing), by: initiator, cause: "\(cause): pre_start runs", at: now)
        } else {
            effects.append(.spawn(InstanceIndex(slot), incarnation))
            enter(slot, .starting(run, .spawning), by: initiator, cause: cause, at: now)
        }
    }

    // MARK: Living

    /// Ends a life whose time is over: it did not start in time, or ran too long.
    mutating func expire(_ slot: Int, at now: Instant) {
        guard !slots[slot].isRetired, slots[slot].isWanted, let run = slots[slot].phase.run else { return }
        switch slots[slot].phase {
        case .starting where run.startDeadline.map({ $0 <= now }) ?? false:
            let end = End.startTimeout(lateness(of: slots[slot]))
            beginStop(slot, .ended(end), by: .supervisor, cause: end.summary, at: now)
        case .starting, .healthy, .unhealthy:
            guard let deadline = run.runDeadline, deadline <= now else { return }
            beginStop(slot, .ended(.runTimeout), by: .supervisor, cause: End.runTimeout.summary, at: now)
        case .stopping, .stopped, .waiting, .blocked, .backoff, .failed, .completed: break
        }
    }

    private mutating func advanceLife(_ slot: Int, at now: Instant) -> Bool {
        if !slots[slot].isWanted {
            beginStop(slot, .stop, by: slots[slot].initiator, cause: stopCause(slot), at: now)
            return true
        }
        if mayResumeReplacement(of: slot) { resumeReplacements(of: slots[slot].group) }
        if let initiator = slots[slot].pendingRestart, mayBeReplaced(slot) {
            let (cause, mover) = replacementCause(slot, by: initiator)
            change(slot) { $0.isCycling = true }
            beginStop(slot, .restart, by: initiator, cause: cause, causedBy: mover, at: now)
            return true
        }
        if let obstacle = obstacle(toReplacementOf: slot)?.first {
            haltReplacements(of: slots[slot].group, for: groups[obstacle].name, at: now)
        }
        if case .starting(_, let step) = slots[slot].phase {
            guard case .running = step else { return false }
        }
        if evaluateHealth(slot, at: now) { return true }
        if let next = slots[slot].phase.run?.nextProbe, next <= now { probeLater(slot) }
        return false
    }

    mutating func beginDueProbes(_ slot: Int, at now: Instant) {
        switch slots[slot].phase {
        case .starting(var run, .running), .healthy(var run), .unhealthy(var run):
            for role in ProbeRole.allCases where run[role]?.begin(at: now) ?? false {
                effects.append(.probe(InstanceIndex(slot), slots[slot].incarnation, role))
            }
            slots[slot].phase.run = run
        case .starting, .stopped, .waiting, .blocked, .backoff, .failed, .completed, .stopping: break
        }
    }

    /// Enters healthy or unhealthy when the probes say so. True when it did.
    private mutating func evaluateHealth(_ slot: Int, at now: Instant) -> Bool {
        switch slots[slot].phase {
        case .starting(var run, _):
            if let startup = run.startup, startup.isPassing != true { return false }
            if let readiness = run.readiness {
                guard readiness.isPassing == true else { return false }
            } else {
                guard let settleAt = run.settleAt, settleAt <= now else { return false }
            }
            run.endStart()
            let took = (now - run.startedAt).shown
            let cause = run.readiness == nil ? slots[slot].spec.settledCause : "ready after \(took)"
            enter(slot, .healthy(run), by: .probe, cause: cause, at: now)
            emitHook(slot, .onHealthy, reason: cause)
            return true
        case .healthy(let run):
            guard readinessFails(run, kind: slots[slot].spec.kind) else { return false }
            let cause = "readiness failed: \(run.lastProbe?.shown ?? "no answer")"
            enter(slot, .unhealthy(run), by: .probe, cause: cause, at: now)
            emitHook(slot, .onUnhealthy, reason: cause)
            return true
        case .unhealthy(let run):
            guard !readinessFails(run, kind: slots[slot].spec.kind) else { return false }
            enter(slot, .healthy(run), by: .probe, cause: "ready again", at: now)
            emitHook(slot, .onHealthy, reason: "ready again")
            return true
        case .stopped, .waiting, .blocked, .backoff, .failed, .completed, .stopping:
            return false
        }
    }

    /// An external sidecar has no process to end, so its liveness speaks through its health.
    private func readinessFails(_ run: Run, kind: SidecarSpec.Kind) -> Bool {
        if run.readiness?.isPassing == false { return true }
        return kind == .external && run.liveness?.isPassing == false
    }

    private func lateness(of instance: Instance) -> String {
        let limit = instance.spec.start.timeout.shown
        guard case .starting(let run, let step) = instance.phase else { return limit }
        switch step {
        case .preparing: return "pre_start still runs after \(limit)"
        case .spawning: return "not spawned after \(limit)"
        case .running:
            return run.lastProbe.map { "after \(limit) the last probe said: \($0.shown)" }
                ?? "no probe result in \(limit)"
        }
    }
}

extension Run {
    /// Startup gates the others; without it, readiness begins at once, and liveness with readiness's first success.
    mutating func beginProbes(of spec: SidecarSpec, at now: Instant) {
        for role in ProbeRole.allCases where spec.health[role] != nil && self[role] == nil {
            self[role] = ProbeCounter()
        }
        if let probe = spec.health.startup {
            startup?.activate(probe, at: now)
        } else {
            openGate(of: spec, at: now)
        }
    }

    mutating func openGate(of spec: SidecarSpec, at now: Instant) {
        if let probe = spec.health.readiness { readiness?.activate(probe, at: now) }
        if let probe = spec.health.liveness, startup != nil || readiness == nil || readiness?.hasSucceeded == true {
            liveness?.activate(probe, at: now)
        }
    }
}

extension SidecarSpec {
    func hasHook(_ event: HookEvent) -> Bool { hooks.contains { $0.event == event } }

    fileprivate var settledCause: String {
        stdio == .perClient ? "open to clients" : "alive for \(start.settle.shown)"
    }
}

extension ProbeOutcome {
    package var shown: String {
        switch self {
        case .success: "success"
        case .unverified: "success, owner of the socket not readable"
        case .foreign(let owner): "answered by another process: \(owner)"
        case .failure(let detail): detail
        case .timeout: "no answer in time"
        }
    }
}
