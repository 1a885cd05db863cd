import Planning
package import SidecarModel

extension Reconciler {
    /// The instance's place, or nil when it is not there.
    package func instance(sidecar: String, replica: Int) -> InstanceIndex? {
        guard let group = groupPlaces[sidecar] else { return nil }
        return groups[group].instances.first { slots[$0].replica == replica }.map { InstanceIndex($0) }
    }

    /// Every instance there is: those declared in manifest order, then those being removed.
    package var instances: [InstanceIndex] {
        var all: [InstanceIndex] = []
        all.reserveCapacity(slots.count)
        // By their places: a specification is large to copy.
        for place in plan.sidecars.indices {
            guard let group = groupPlaces[plan.sidecars[place].name] else { continue }
            all += groups[group].instances.map { InstanceIndex($0) }
        }
        for group in groups where !group.isDeclared { all += group.instances.map { InstanceIndex($0) } }
        return all
    }

    /// Instances named `db` (all of it) or `mcp/0`; empty for a name that is not declared.
    /// - Parameter withLeaving: those that are being removed, too.
    package func instances(named name: String, withLeaving: Bool = false) -> [InstanceIndex] {
        (withLeaving ? places(named: name) : instances(named: [name])).map { InstanceIndex($0) }
    }

    /// The spec this instance runs, or would be started, by.
    package func spec(of instance: InstanceIndex) -> SidecarSpec? {
        guard isThere(instance) else { return nil }
        return slots[instance.value].spec
    }

    /// Others wait for what comes of its start.
    package func isAwaited(_ instance: InstanceIndex) -> Bool {
        guard isThere(instance) else { return false }
        let instance = slots[instance.value]
        return instance.isCycling || plan.project.maxParallelStarts != nil || !groups[instance.group].dependents.isEmpty
    }

    /// Of its specification, without the rest.
    package func kind(of instance: InstanceIndex) -> (kind: SidecarSpec.Kind, isPrimary: Bool)? {
        guard isThere(instance) else { return nil }
        return (slots[instance.value].spec.kind, slots[instance.value].spec.primary)
    }

    /// True once everything was asked to go down.
    package var isShuttingDown: Bool { shutdown != nil }

    /// - Parameter now: what health has outlasted by then does not count any more; nothing wakes for it. Nil: as it was
    ///   when it last changed.
    package func status(of index: InstanceIndex, at now: Instant? = nil) -> InstanceStatus? {
        guard isThere(index) else { return nil }
        var status = slots[index.value].status(in: groups, waitingFor: waitedFor(by: index.value))
        if let now { status.consecutiveFailures = slots[index.value].failuresInARow(at: now) }
        switch status.state {
        case .starting, .healthy, .unhealthy:
            if status.isRestartHalted { status.reason = haltedReason(of: index.value) }
        case .stopped, .waiting, .backoff, .completed, .failed, .blocked, .scheduled, .stopping: break
        }
        return status
    }

    /// What an instance is called: its sidecar and its number among the replicas.
    package func name(of index: InstanceIndex) -> (sidecar: String, replica: Int)? {
        guard isThere(index) else { return nil }
        return (groups[slots[index.value].group].name, slots[index.value].replica)
    }

    /// As people call it.
    func label(of slot: Int) -> String {
        let name = groups[slots[slot].group].name
        return isOneOfSeveral(InstanceIndex(slot)) ? "\(name)/\(slots[slot].replica)" : name
    }

    /// True where an instance's number is part of what people call it: by what is declared now, not by what it runs as.
    package func isOneOfSeveral(_ index: InstanceIndex) -> Bool {
        guard isThere(index) else { return false }
        return slots[index.value].replica > 0 || groups[slots[index.value].group].shared.value.replicas > 1
    }

    package func stateName(of index: InstanceIndex) -> StateName? {
        isThere(index) ? slots[index.value].phase.name : nil
    }

    private func waitedFor(by slot: Int) -> [String] {
        switch slots[slot].phase {
        case .waiting(let targets), .blocked(let targets): targets.map { groups[$0].name }
        case .stopping(_, let stop):
            if case .queued = stop.step { dependentsLeaving(before: slot).map { groups[$0].name } } else { [] }
        case .stopped, .backoff, .failed, .completed, .starting, .healthy, .unhealthy: []
        }
    }

    private func isThere(_ index: InstanceIndex) -> Bool {
        slots.indices.contains(index.value) && !slots[index.value].isRetired
    }

    func record(of slot: Int) -> InstanceRecord { slots[slot].record(in: groups) }
}

// Methods of the instance, read where it is: a copy of one is some fifty references to count.
extension Instance {
    fileprivate func status(in groups: [Group], waitingFor: [String]) -> InstanceStatus {
        let run = phase.run
        return InstanceStatus(
            sidecar: groups[group].name, replica: replica, state: phase.name, incarnation: incarnation, pid: run?.pid,
            startedAt: run?.pid == nil ? nil : run?.startedAt, since: since, restartsTotal: restartsTotal,
            consecutiveFailures: consecutiveFailures, lastExit: lastExit, reason: reason,
            waitingFor: waitingFor, stop: stopProgress, until: until, isWanted: isWanted, lastProbe: run?.lastProbe,
            lastProbeAt: run?.lastProbeAt, isUnverified: run?.lastProbe == .unverified,
            isDeclared: isDeclared, isRestartPending: pendingRestart != nil,
            isRestartHalted: isRestartHalted, kind: groups[group].shared.value.kind)
    }

    private var stopProgress: StopProgress? {
        guard case .stopping(_, let stop) = phase else { return nil }
        let sequence = spec.stop.sequence
        switch stop.step {
        case .queued: return .queued
        case .endingHook, .awaitingSpawn: return .endingStart
        case .preStop(let until): return .preStop(next: sequence[0].signal, at: until)
        case .signalled(let index, let until):
            let next = index + 1 < sequence.count ? sequence[index + 1].signal : .kill
            return .signalled(sequence[min(index, sequence.count - 1)].signal, next: next, at: until)
        case .clearing(let until): return .clearing(killAt: until)
        case .killing: return .killed
        case .stuck: return .stuck
        }
    }

    fileprivate func record(in groups: [Group]) -> InstanceRecord {
        InstanceRecord(
            sidecar: groups[group].name, replica: replica, state: phase.name, incarnation: incarnation.number,
            isWanted: isWanted, since: since, startedAt: phase.run?.startedAt, restartsTotal: restartsTotal,
            consecutiveFailures: consecutiveFailures, lastExit: lastExit, reason: reason, until: until,
            startedFingerprint: startedFingerprint, healthySince: healthySince, recentRestarts: recentRestarts,
            end: end, pendingRestart: pendingRestart, holdsDeadAddresses: holdsDeadAddresses,
            isRestartHalted: isRestartHalted, isRestart: startsAgain, initiator: initiator)
    }

    private var startsAgain: Bool {
        if case .stopping(_, let stop) = phase { !stop.ending.isStop } else { isRestart }
    }

    fileprivate var end: End? {
        switch phase {
        case .failed(let end, _): return end
        case .stopping(_, let stop): if case .ended(let end) = stop.ending { return end } else { return nil }
        case .waiting, .blocked: return waitsForChangedRun ? lastExit.map { .exit($0) } : nil
        case .stopped, .backoff, .completed, .starting, .healthy, .unhealthy: return nil
        }
    }

    fileprivate var until: Instant? {
        switch phase {
        case .backoff(let until): until
        case .failed(_, let retryAt): retryAt
        case .stopped, .waiting, .blocked, .completed, .starting, .healthy, .unhealthy, .stopping: nil
        }
    }
}
