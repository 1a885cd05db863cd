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
        for sidecar in plan.sidecars {
            guard let group = groupPlaces[sidecar.name] else { continue }
            all += groups[group].instances.map { InstanceIndex($0) }
        }
        for group in groups where !group.isDeclared { all += group.instances.map { InstanceIndex($0) } }
        return all
    }

    /// Instances named `db` (all of it) or `mcp/0`; empty for a name that is not declared.
    package func instances(named name: String) -> [InstanceIndex] {
        instances(named: [name]).map { InstanceIndex($0) }
    }

    /// The spec this instance runs, or would be started, by.
    package func spec(of instance: InstanceIndex) -> SidecarSpec? {
        guard slots.indices.contains(instance.value), !slots[instance.value].isRetired else { return nil }
        return slots[instance.value].spec
    }

    package func replica(of instance: InstanceIndex) -> Int? {
        guard slots.indices.contains(instance.value), !slots[instance.value].isRetired else { return nil }
        return slots[instance.value].replica
    }

    /// True once everything was asked to go down.
    package var isShuttingDown: Bool { shutdown != nil }

    package func status(of index: InstanceIndex) -> InstanceStatus? {
        guard slots.indices.contains(index.value), !slots[index.value].isRetired else { return nil }
        let instance = slots[index.value]
        let run = instance.phase.run
        return InstanceStatus(
            sidecar: groups[instance.group].name, replica: instance.replica, state: instance.phase.name,
            incarnation: instance.incarnation, pid: run?.pid, startedAt: run?.pid == nil ? nil : run?.startedAt,
            since: instance.since, restartsTotal: instance.restartsTotal,
            consecutiveFailures: instance.consecutiveFailures, lastExit: instance.lastExit, reason: instance.reason,
            waitingFor: waitedFor(by: instance), until: instance.until, isWanted: instance.isWanted,
            lastProbe: run?.lastProbe, lastProbeAt: run?.lastProbeAt, isUnverified: run?.lastProbe == .unverified)
    }

    private func waitedFor(by instance: Instance) -> [String] {
        switch instance.phase {
        case .waiting(let targets), .blocked(let targets): targets.map { groups[$0].name }
        case .stopped, .backoff, .failed, .completed, .starting, .healthy, .unhealthy, .stopping: []
        }
    }

    func record(of slot: Int) -> InstanceRecord {
        let instance = slots[slot]
        return InstanceRecord(
            sidecar: groups[instance.group].name, replica: instance.replica, state: instance.phase.name,
            incarnation: instance.incarnation.number, isWanted: instance.isWanted, since: instance.since,
            startedAt: instance.phase.run?.startedAt, restartsTotal: instance.restartsTotal,
            consecutiveFailures: instance.consecutiveFailures, lastExit: instance.lastExit, reason: instance.reason,
            until: instance.until, startedFingerprint: instance.startedFingerprint,
            healthySince: instance.healthySince, recentRestarts: instance.recentRestarts, end: instance.end,
            pendingRestart: instance.pendingRestart)
    }
}

extension Instance {
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
