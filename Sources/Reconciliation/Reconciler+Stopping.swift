import Planning
import SidecarModel

/// The least that what is left behind by a leader gets before SIGKILL.
private let clearingGrace = Duration.seconds(2)
/// How long after SIGKILL whoever lives is called a survivor.
private let verifyGrace = Duration.seconds(2)

extension Reconciler {
    /// Ends the life under way; what follows is said by `ending`.
    mutating func beginStop(
        _ slot: Int, _ ending: Stop.Ending, by initiator: Initiator, cause: String, causedBy: String? = nil,
        at now: Instant
    ) {
        guard let run = slots[slot].phase.run else { return }
        let place = InstanceIndex(slot)
        effects.append(.endProbes(place, slots[slot].incarnation))
        var stop = Stop(step: .queued, ending: ending, leaderLives: true)
        if case .starting(_, let step) = slots[slot].phase {
            switch step {
            case .preparing: stop.step = .endingHook
            case .spawning: stop.step = .awaitingSpawn
            case .running: break
            }
        }
        enter(slot, .stopping(run, stop), by: initiator, cause: cause, causedBy: causedBy, at: now)
        if slots[slot].spec.kind == .external { endLife(slot, ending, at: now) }
    }

    /// What its life gives way for, and the sidecar whose address moved where that is the reason.
    func replacementCause(_ slot: Int, by initiator: Initiator) -> (cause: String, causedBy: String?) {
        let group = groups[slots[slot].group]
        if initiator == .apply || initiator == .user,
            case .restart(let keys) = PlanDifference.action(from: slots[slot].spec, to: group.spec)
        {
            // Whoever asked for it gets what was declared meanwhile.
            let request = initiator == .apply ? "" : "asked for, and "
            return ("to be restarted: \(request)\(keys.joined(separator: ", ")) changed", nil)
        }
        guard initiator == .dependency, slots[slot].holdsDeadAddresses else { return ("to be restarted", nil) }
        // Of the others, whom it refers to without depending on them, only a look at all would tell.
        let known = group.edges.map { groups[$0.target].name }.filter { group.spec.refers(to: $0) }
        guard !known.isEmpty else { return ("to be restarted: an address it was given has moved", nil) }
        return ("to be restarted: an address of \(known.joined(separator: " or ")) has moved", known.first)
    }

    func stopCause(_ slot: Int) -> String {
        if shutdown != nil { return "the project goes down" }
        guard !slots[slot].isDeclared else { return "asked to stop" }
        let group = groups[slots[slot].group]
        return group.isDeclared ? "scaled to \(group.spec.replicas)" : "no longer declared"
    }

    mutating func advanceStop(_ slot: Int, at now: Instant) -> Bool {
        guard case .stopping(let run, var stop) = slots[slot].phase else { return false }
        switch stop.step {
        case .queued:
            guard hurry == .killNow || !waitsForDependents(slot) else { return false }
            return beginSequence(slot, run, stop, at: now)
        case .preStop(let until):
            guard hurry != nil || until <= now else { return false }
            return sendSignal(0, slot, run, stop, at: now)
        case .signalled(let index, let until):
            guard hurry != nil || until <= now else { return false }
            if hurry == nil, index + 1 < slots[slot].spec.stop.sequence.count {
                return sendSignal(index + 1, slot, run, stop, at: now)
            }
            return kill(slot, run, stop, at: now)
        case .clearing(let until):
            guard hurry != nil || until <= now else { return false }
            return kill(slot, run, stop, at: now)
        case .killing(let inspectAt):
            guard let inspectAt, inspectAt <= now else { return false }
            stop.step = .killing(inspectAt: nil)
            change(slot) { $0.phase = .stopping(run, stop) }
            effects.append(.inspect(InstanceIndex(slot), slots[slot].incarnation))
            return false
        case .endingHook, .awaitingSpawn, .stuck:
            return false
        }
    }

    private mutating func beginSequence(_ slot: Int, _ run: Run, _ stop: Stop, at now: Instant) -> Bool {
        var stop = stop
        let sequence = slots[slot].spec.stop.sequence
        let grace = sequence.reduce(Duration.zero) { $0 + $1.wait }
        stop.graceEnds = now + grace
        if hurry == .killNow { return kill(slot, run, stop, at: now) }
        if slots[slot].spec.hasHook(.preStop), hurry == nil {
            emitHook(slot, .preStop, reason: slots[slot].reason)
            let limit = slots[slot].spec.hooks.first { $0.event == .preStop }?.timeout ?? grace
            stop.step = .preStop(until: now + min(limit, grace))
            change(slot) { $0.phase = .stopping(run, stop) }
            return false
        }
        return sendSignal(0, slot, run, stop, at: now)
    }

    mutating func sendSignal(_ index: Int, _ slot: Int, _ run: Run, _ stop: Stop, at now: Instant) -> Bool {
        var stop = stop
        let spec = slots[slot].spec.stop
        let step = spec.sequence[index]
        var until = now + step.wait
        // What pre_stop took is part of the grace; a slow hook still leaves the sidecar a moment to see each signal.
        if let graceEnds = stop.graceEnds {
            until = max(min(until, graceEnds), now + min(clearingGrace, step.wait))
        }
        stop.step = .signalled(index, until: until)
        change(slot) { $0.phase = .stopping(run, stop) }
        effects.append(
            .signal(
                InstanceIndex(slot), slots[slot].incarnation, step.signal, spec.target == .group ? .group : .leader))
        return true
    }

    private mutating func kill(_ slot: Int, _ run: Run, _ stop: Stop, at now: Instant) -> Bool {
        var stop = stop
        stop.step = .killing(inspectAt: now + verifyGrace)
        change(slot) { $0.phase = .stopping(run, stop) }
        effects.append(.kill(InstanceIndex(slot), slots[slot].incarnation))
        return false
    }

    /// The leader is gone. What it left behind is told to go too, and never saves itself by outliving it.
    mutating func clearRemains(_ slot: Int, _ run: Run, _ stop: Stop, at now: Instant) {
        var stop = stop
        var run = run
        run.pid = nil
        stop.leaderLives = false
        let spec = slots[slot].spec.stop
        switch stop.step {
        case .killing, .stuck, .clearing: break
        case .queued, .endingHook, .awaitingSpawn, .preStop, .signalled:
            let least = now + clearingGrace
            stop.step = .clearing(until: max(stop.graceEnds ?? least, least))
            let signal = spec.target == .leader ? nil : spec.sequence.first?.signal
            effects.append(.clear(InstanceIndex(slot), slots[slot].incarnation, signal))
        }
        change(slot) { $0.phase = .stopping(run, stop) }
    }

    // MARK: After the end

    /// Nothing of the life is left: what follows?
    mutating func endLife(_ slot: Int, _ ending: Stop.Ending, at now: Instant) {
        effects.append(.release(InstanceIndex(slot), slots[slot].incarnation))
        if slots[slot].phase.run?.wasSpawned == true { emitHook(slot, .postStop, reason: slots[slot].reason) }
        let initiator = slots[slot].initiator
        guard slots[slot].isWanted else {
            // It may have been stopped for another reason, as to be started again.
            let cause = slots[slot].isDeclared ? slots[slot].reason : stopCause(slot)
            enter(slot, .stopped, by: initiator, cause: cause, at: now)
            return
        }
        // Its next life is by what is declared now, if there is one.
        if slots[slot].isRestartHalted { change(slot) { $0.replacement = .none } }
        let hasSucceeded = slots[slot].hasSucceeded(by: ending)
        if slots[slot].pendingRestart == .dependency, hasSucceeded {
            // It got through before it was told that an address it holds had moved.
            change(slot) { $0.pendingRestart = nil }
        }
        // What a task did by an old declaration does not stand for the new one.
        let isOutdated =
            slots[slot].spec.kind == .task
            && slots[slot].startedFingerprint != groups[slots[slot].group].spec.restartFingerprint
        if let restart = slots[slot].pendingRestart ?? (isOutdated ? .apply : nil) {
            restartNow(slot, after: ending, by: restart, at: now)
            // Until it starts, the old declaration may come back, by which it is done.
            if restart == .apply, hasSucceeded {
                change(slot) { ($0.waitsForChangedRun, $0.isRestart) = (true, false) }
            }
            return
        }
        switch ending {
        case .restart, .stop: restartNow(slot, after: ending, by: initiator, at: now)
        case .ended(let end): decide(slot, after: end, at: now)
        }
    }

    private mutating func restartNow(_ slot: Int, after ending: Stop.Ending, by initiator: Initiator, at now: Instant) {
        change(slot) {
            // What was stopped, and is started before that is done, is started anew.
            $0.isRestart = !ending.isStop || $0.pendingRestart != nil && !$0.isRolled
            if $0.pendingRestart != nil { $0.isCycling = true }
            $0.pendingRestart = nil
            $0.initiator = initiator
            $0.forgive()
        }
        enter(slot, .waiting(for: []), by: initiator, cause: "stopped, to be started again", at: now)
    }

    private mutating func decide(_ slot: Int, after end: End, at now: Instant) {
        let policy = slots[slot].spec.restart
        let recent = policy.window.map { window in slots[slot].recentRestarts.count { now - $0 < window } } ?? 0
        var generator = jitter
        let decision = RestartDecision(
            policy: policy, end: end, failures: slots[slot].consecutiveFailures, recent: recent
        ) { generator.nextFactor() }
        jitter = generator
        let initiator: Initiator = if case .liveness = end { .probe } else { .exit }
        let isSuccess = end.exitStatus.map(policy.isSuccess) ?? false
        switch decision {
        case .complete:
            enter(slot, .completed, by: initiator, cause: end.summary, at: now)
            endWithPrimary(slot, end)
        case .retry(let delay, let attempt):
            // Of those that `max_attempts` is about.
            let counted = policy.window == nil ? attempt : recent + 1
            if !isSuccess { emitHook(slot, .onCrash, reason: end.summary, attempt: counted) }
            change(slot) {
                $0.consecutiveFailures = attempt
                $0.isRestart = true
                $0.initiator = initiator
            }
            let limit = policy.maxAttempts > 0 ? " of \(policy.maxAttempts)" : ""
            let next = delay > .zero ? "in \(delay.shown)" : "now"
            enter(
                slot, .backoff(until: now + delay), by: initiator,
                cause: "\(end.summary), attempt \(counted)\(limit) \(next)", at: now)
        case .giveUp(let reason):
            if !isSuccess { emitHook(slot, .onCrash, reason: end.summary) }
            fail(slot, end, reason: reason, by: initiator, at: now)
        }
    }

    private mutating func fail(_ slot: Int, _ end: End, reason: String, by initiator: Initiator, at now: Instant) {
        let spec = slots[slot].spec
        let retries = spec.kind != .task && spec.restart.retryFailedAfter > .zero && !spec.primary
        slots[slot].hasHopeFrom = []
        enter(
            slot, .failed(end, retryAt: retries ? now + spec.restart.retryFailedAfter : nil), by: initiator,
            cause: reason, at: now)
        emitHook(slot, .onFailed, reason: reason)
        haltReplacements(
            of: slots[slot].group, for: groups[slots[slot].group].name, label: label(of: slot), at: now)
        endWithPrimary(slot, end)
    }

    /// The primary's final end is the project's.
    mutating func endWithPrimary(_ slot: Int, _ end: End) {
        guard slots[slot].spec.primary, shutdown == nil else { return }
        shutdown = Shutdown(code: end.exitStatus?.shellCode ?? 1)
        for other in slots.indices where !slots[other].isRetired {
            change(other) {
                $0.leave(by: .exit)
                $0.isWanted = other == slot
            }
        }
    }

    mutating func emitHook(_ slot: Int, _ event: HookEvent, reason: String, attempt: Int? = nil) {
        let instance = slots[slot]
        guard instance.spec.hasHook(event) else { return }
        effects.append(
            .runHook(
                InstanceIndex(slot), instance.incarnation, event,
                HookFacts(
                    exit: instance.exitOfLife, attempt: attempt ?? instance.consecutiveFailures,
                    maxAttempts: instance.spec.restart.maxAttempts, restartsTotal: instance.restartsTotal,
                    reason: reason)))
    }
}

extension Instance {
    fileprivate func hasSucceeded(by ending: Stop.Ending) -> Bool {
        guard spec.kind == .task, case .ended(.exit(let status)) = ending else { return false }
        return spec.restart.isSuccess(status)
    }
}
