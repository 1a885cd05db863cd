import Planning
package import SidecarModel

extension Reconciler {
    /// Takes up a project after its supervisor ended: records from the store, and what became of each process. Call
    /// before the first `observe`.
    package mutating func restore(_ records: [(InstanceRecord, Survival)], at now: Instant) {
        // What one of them comes to may decide over the others, as the end of a primary does: first all are known.
        let places = records.map { record, _ in
            nextIncarnation = max(nextIncarnation, record.incarnation + 1)
            let slot = place(of: record, at: now)
            change(slot) { $0.takeOver(record) }
            return slot
        }
        for (slot, (record, survival)) in zip(places, records) {
            restorePhase(slot, record, survival, at: now)
            deadlines.set(slots[slot].phase.deadline, for: slot)
        }
        for slot in slots.indices where slots[slot].isWanted { resumeEnd(ofPrimary: slot) }
        resumeReplacements()
    }

    /// While others wait to be replaced, who is on its way may be so because it was: its dependents' turn comes when it
    /// is there.
    private mutating func resumeReplacements() {
        guard slots.contains(where: { $0.pendingRestart != nil }) else { return }
        for slot in slots.indices where slots[slot].isOnItsWay || slots[slot].phase.name == .backoff {
            change(slot) { $0.isCycling = true }
        }
    }

    /// A primary that came to its final end was taking the project with it.
    private mutating func resumeEnd(ofPrimary slot: Int) {
        switch slots[slot].phase {
        case .completed: endWithPrimary(slot, .exit(slots[slot].lastExit ?? .unknown))
        case .failed(let end, _): endWithPrimary(slot, end)
        case .stopped, .waiting, .blocked, .backoff, .starting, .healthy, .unhealthy, .stopping: break
        }
    }

    /// What is no longer declared lives on only to be ended.
    private mutating func place(of record: InstanceRecord, at now: Instant) -> Int {
        if let known = instance(sidecar: record.sidecar, replica: record.replica) { return known.value }
        let group: Int
        if let known = groupPlaces[record.sidecar] {
            group = known
        } else {
            group = groups.count
            groups.append(Group(name: record.sidecar, spec: SidecarSpec(name: record.sidecar)))
            groups[group].isDeclared = false
            groups[group].spec.replicas = 0
            groupPlaces[record.sidecar] = group
        }
        let slot = addInstance(group: group, replica: record.replica, at: now)
        change(slot) { $0.isDeclared = false }
        return slot
    }

    private mutating func restorePhase(_ slot: Int, _ record: InstanceRecord, _ survival: Survival, at now: Instant) {
        switch (record.state, survival) {
        case (.starting, _), (.healthy, _), (.unhealthy, _): return restoreLife(slot, record, survival, at: now)
        // A life that the record says is over, and is not, is ended: it must never have a second one beside it.
        case (.stopping, _), (_, .alive): return restoreStop(slot, record, survival, at: now)
        // The record was written, and the release that goes with it not performed any more.
        case (_, .exited): effects.append(.release(InstanceIndex(slot), slots[slot].incarnation))
        case (_, .neverSpawned): break
        }
        switch record.state {
        case .backoff: put(slot, .backoff(until: record.until ?? now))
        case .failed:
            let end = record.end ?? record.lastExit.map { End.exit($0) } ?? .hook(record.reason)
            put(slot, .failed(end, retryAt: record.until))
        case .completed: put(slot, .completed)
        case .waiting, .blocked: put(slot, .waiting(for: []))
        case .stopped, .scheduled, .starting, .healthy, .unhealthy, .stopping: put(slot, .stopped)
        }
    }

    private mutating func restoreLife(_ slot: Int, _ record: InstanceRecord, _ survival: Survival, at now: Instant) {
        let spec = slots[slot].spec
        var run = Run(startedAt: record.startedAt ?? now)
        run.wasSpawned = spec.kind != .external
        let wasReady = record.state != .starting
        for role in ProbeRole.allCases {
            guard let probe = spec.health[role] else { continue }
            run[role] = ProbeCounter()
            if wasReady, role == .startup {
                run.startup?.pass()
            } else if wasReady {
                run[role]?.resume(probe, isPassing: role != .readiness || record.state == .healthy, at: now)
            }
        }
        if !wasReady {
            run.limitStart(to: spec.start.timeout)
            // The spawn may be later than the record, which was written before it: it settles from now.
            if spec.health.readiness == nil { run.settle(from: now, for: spec.settlingTime) }
            run.beginProbes(of: spec, at: now)
        }
        run.limitRun(of: spec)
        switch survival {
        case .alive(let pid):
            run.pid = pid
            put(slot, record.state.livingPhase(run))
        case .exited(let status):
            put(slot, record.state.livingPhase(run))
            exited(slot, status, at: now)
        case .neverSpawned where spec.kind == .external:
            put(slot, record.state.livingPhase(run))
        case .neverSpawned:
            // The spawn was decided and never happened: nobody's failure, and nothing to clean.
            effects.append(.release(InstanceIndex(slot), slots[slot].incarnation))
            put(slot, slots[slot].isWanted ? .waiting(for: []) : .stopped)
        }
    }

    /// The sequence begins anew: what was sent before may have been lost with who sent it.
    private mutating func restoreStop(_ slot: Int, _ record: InstanceRecord, _ survival: Survival, at now: Instant) {
        var run = Run(startedAt: record.startedAt ?? now)
        run.wasSpawned = true
        let restarts = slots[slot].isWanted && record.isRestart
        let ending = record.end.map { Stop.Ending.ended($0) } ?? (restarts ? .restart : .stop)
        var stop = Stop(step: .queued, ending: ending, leaderLives: true)
        switch survival {
        case .alive(let pid):
            run.pid = pid
            put(slot, .stopping(run, stop))
        case .exited(let status):
            stop.leaderLives = false
            change(slot) { $0.note(status) }
            put(slot, .stopping(run, stop))
            clearRemains(slot, run, stop, at: now)
        case .neverSpawned:
            put(slot, .stopping(run, stop))
            endLife(slot, stop.ending, at: now)
        }
    }

    /// Sets a phase without a transition: nothing happened, it is only known again.
    private mutating func put(_ slot: Int, _ phase: Phase) {
        change(slot) { $0.phase = phase }
    }
}

extension StateName {
    fileprivate var isBeforeStart: Bool { self == .waiting || self == .blocked }

    fileprivate func livingPhase(_ run: Run) -> Phase {
        switch self {
        case .healthy: .healthy(run)
        case .unhealthy: .unhealthy(run)
        default: .starting(run, .running)
        }
    }
}

extension Instance {
    fileprivate mutating func takeOver(_ record: InstanceRecord) {
        isWanted = record.isWanted && isDeclared
        incarnation = Incarnation(record.incarnation)
        since = record.since
        reason = record.reason
        restartsTotal = record.restartsTotal
        consecutiveFailures = record.consecutiveFailures
        lastExit = record.lastExit
        startedFingerprint = record.startedFingerprint
        healthySince = record.healthySince
        recentRestarts = record.recentRestarts
        pendingRestart = isWanted ? record.pendingRestart : nil
        if isWanted, record.isRestartHalted { replacement = .halted }
        // Earlier versions of the program did not say so of themselves.
        holdsDeadAddresses = record.holdsDeadAddresses || record.pendingRestart == .dependency
        waitsForChangedRun = isWanted && record.state.isBeforeStart && record.end != nil
        // A start that was decided has been counted; one that still waits has not. Earlier versions of the program did not
        // say which of them are restarts.
        switch record.state {
        case .backoff, .failed: isRestart = true
        case .waiting, .blocked: isRestart = record.isRestart || record.consecutiveFailures > 0
        case .stopped, .completed, .starting, .healthy, .unhealthy, .stopping, .scheduled: isRestart = false
        }
        initiator = record.initiator ?? .supervisor
    }
}
