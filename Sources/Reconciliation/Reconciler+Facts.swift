import SidecarModel

/// Facts about the current life of an instance. Late ones that are legal are named where they are let pass.
extension Reconciler {
    mutating func spawned(_ slot: Int, _ facts: Spawned, at now: Instant) {
        let spec = slots[slot].spec
        switch slots[slot].phase {
        case .starting(var run, .spawning):
            run.pid = facts.pid
            run.wasSpawned = true
            run.startedAt = now
            if spec.health.readiness == nil { run.settle(from: now, for: spec.settlingTime) }
            run.limitRun(of: spec)
            run.beginProbes(of: spec, at: now)
            change(slot) { $0.phase = .starting(run, .running) }
            emitHook(slot, .postStart, reason: run.startCause)
        case .stopping(var run, var stop):
            // It was asked to stop while the spawn was under way.
            guard case .awaitingSpawn = stop.step else { return }
            run.pid = facts.pid
            run.wasSpawned = true
            stop.step = .queued
            change(slot) { $0.phase = .stopping(run, stop) }
        case .starting, .healthy, .unhealthy, .stopped, .waiting, .blocked, .backoff, .failed, .completed:
            // A second answer to the same spawn says nothing new.
            break
        }
    }

    mutating func spawnFailed(_ slot: Int, _ failure: SpawnFailure, at now: Instant) {
        switch slots[slot].phase {
        case .starting(_, .spawning):
            endLife(slot, .ended(.spawn(failure)), at: now)
        case .stopping(_, let stop):
            guard case .awaitingSpawn = stop.step else { return }
            endLife(slot, stop.ending, at: now)
        case .starting, .healthy, .unhealthy, .stopped, .waiting, .blocked, .backoff, .failed, .completed:
            break
        }
    }

    mutating func hookFinished(_ slot: Int, _ event: HookEvent, _ failure: String?, at now: Instant) {
        switch (event, slots[slot].phase) {
        case (.preStart, .starting(let run, .preparing)):
            if let failure {
                endLife(slot, .ended(.hook(failure)), at: now)
            } else {
                effects.append(.spawn(InstanceIndex(slot), slots[slot].incarnation))
                change(slot) {
                    $0.phase = .starting(run, .spawning)
                    $0.reason = run.startCause
                }
            }
        case (.preStart, .stopping(_, let stop)):
            if case .endingHook = stop.step { endLife(slot, stop.ending, at: now) }
        case (.preStop, .stopping(let run, let stop)):
            if case .preStop = stop.step { _ = sendSignal(0, slot, run, stop, at: now) }
        default:
            // The other hooks are not waited for, and these two may end after what waited for them moved on.
            break
        }
    }

    mutating func probed(_ slot: Int, _ role: ProbeRole, _ outcome: ProbeOutcome, at now: Instant) {
        guard slots[slot].phase.name != .stopping, var run = slots[slot].phase.run, var counter = run[role],
            let probe = slots[slot].spec.health[role]
        else { return }
        // Liveness without a first success counts once there was time enough to start.
        let limit = slots[slot].spec.start.timeout
        let isPastStart = limit > .zero && now - run.startedAt >= limit
        counter.record(outcome, of: probe, countsFailures: role == .liveness && isPastStart, at: now)
        run[role] = counter
        if role != .liveness || run.readiness == nil {
            run.lastProbe = outcome
            run.lastProbeAt = now
        }
        if role == .startup, counter.isPassing == true {
            run.startup?.pass()
            run.openGate(of: slots[slot].spec, at: now)
        }
        if role == .readiness, counter.hasSucceeded, run.startup == nil || run.startup?.isPassing == true {
            run.openGate(of: slots[slot].spec, at: now)
        }
        slots[slot].phase.run = run
        touch(slot)
        if role == .liveness, counter.isPassing == false, slots[slot].spec.kind != .external {
            let end = End.liveness(outcome.shown)
            beginStop(slot, .ended(end), by: .probe, cause: end.summary, at: now)
        }
    }

    mutating func startExtended(_ slot: Int, by duration: Duration, at now: Instant) {
        guard case .starting(var run, let step) = slots[slot].phase else { return }
        run.extendStart(to: now + duration)
        change(slot) { $0.phase = .starting(run, step) }
    }

    mutating func exited(_ slot: Int, _ status: ExitStatus, _ portConflict: String? = nil, at now: Instant) {
        switch slots[slot].phase {
        case .starting(let run, .running), .healthy(let run), .unhealthy(let run):
            guard slots[slot].spec.kind != .external else { return }
            change(slot) { $0.note(status) }
            effects.append(.endProbes(InstanceIndex(slot), slots[slot].incarnation))
            let isSuccess = slots[slot].spec.restart.isSuccess(status)
            let end = portConflict.flatMap { isSuccess ? nil : .portConflict($0, status) } ?? End.exit(status)
            let stop = Stop(step: .queued, ending: .ended(end), leaderLives: false)
            enter(slot, .stopping(run, stop), by: .exit, cause: end.summary, at: now)
            clearRemains(slot, run, stop, at: now)
        case .stopping(let run, let stop):
            // Before the spawn's answer there is no process; after the first exit another one is an echo.
            guard stop.leaderLives, run.wasSpawned else { return }
            change(slot) { $0.note(status) }
            clearRemains(slot, run, stop, at: now)
        case .starting, .stopped, .waiting, .blocked, .backoff, .failed, .completed:
            break
        }
    }

    mutating func emptied(_ slot: Int, at now: Instant) {
        guard case .stopping(_, let stop) = slots[slot].phase, !stop.leaderLives else { return }
        switch stop.step {
        case .clearing, .killing, .stuck: endLife(slot, stop.ending, at: now)
        case .queued, .endingHook, .awaitingSpawn, .preStop, .signalled: break
        }
    }

    mutating func survived(_ slot: Int, _ survivors: [Survivor], at now: Instant) {
        guard case .stopping(let run, var stop) = slots[slot].phase, case .killing = stop.step, !survivors.isEmpty
        else { return }
        stop.step = .stuck(survivors)
        let names = survivors.map { "pid \($0.pid) (state \($0.state), in \($0.waitChannel))" }
        enter(
            slot, .stopping(run, stop), by: .supervisor,
            cause: "cannot be killed: \(names.joined(separator: ", "))", at: now)
    }
}
