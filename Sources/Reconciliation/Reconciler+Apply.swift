import Planning
import SidecarModel

extension Reconciler {
    /// The plan becomes what is declared: groups and instances come, change in place, are marked for replacement, or
    /// leave. Nothing is started or stopped here; `advance` does that in order.
    mutating func apply(_ plan: Plan, selection: [String]?, at now: Instant) {
        if shutdown != nil { cancelShutdown(at: now) }
        let readdressed = readdressed(by: plan)
        declare(plan, at: now)
        let selected = selection.map { closure(of: $0.compactMap { groupPlaces[$0] }) }
        for position in plan.order {
            guard let group = groupPlaces[plan.sidecars[position].name] else { continue }
            if let selected, !selected[group] { continue }
            for slot in groups[group].instances where slots[slot].isDeclared {
                bring(slot, toSpecOf: group, at: now)
            }
        }
        // What a halted one depends on may be another one now.
        if halts > 0 { for slot in slots.indices where slots[slot].isRestartHalted { touch(slot) } }
        guard !readdressed.isEmpty else { return }
        for group in groups.indices where groups[group].isDeclared {
            if groups[group].spec.isOutdated(by: readdressed) { restartHolders(in: group) }
        }
    }

    /// Those whose host or list of addresses may be another one. That a number moved is said by whoever chose it.
    private func readdressed(by plan: Plan) -> [String: (from: SidecarSpec, to: SidecarSpec)] {
        var changes: [String: (from: SidecarSpec, to: SidecarSpec)] = [:]
        for spec in plan.sidecars where !spec.ports.isEmpty {
            guard let group = groupPlaces[spec.name], groups[group].isDeclared else { continue }
            let known = groups[group].spec
            if known.replicas != spec.replicas || known.ports != spec.ports { changes[spec.name] = (known, spec) }
        }
        return changes
    }

    /// What runs there was given addresses that are not those of today.
    mutating func restartHolders(in group: Int) {
        for slot in groups[group].instances where !slots[slot].isGone && slots[slot].isWanted {
            change(slot) {
                $0.holdsDeadAddresses = true
                if $0.pendingRestart == nil { $0.pendingRestart = .dependency }
            }
        }
    }

    /// Whoever brings a project up that is going down gets what they would get when all was down.
    private mutating func cancelShutdown(at now: Instant) {
        shutdown = nil
        hurry = nil
        for slot in slots.indices where !slots[slot].isRetired && slots[slot].isWanted {
            // The primary alone still was wanted, for its end to be the project's.
            change(slot) { $0.leave(by: .apply) }
            guard case .completed = slots[slot].phase else { continue }
            enter(slot, .stopped, by: .apply, cause: "the project is brought up again", at: now)
        }
    }

    /// Makes groups, instances and edges those of the plan.
    mutating func declare(_ plan: Plan, at now: Instant) {
        self.plan = plan
        var isPlanned = [Bool](repeating: false, count: groups.count)
        var places: [Int] = []
        places.reserveCapacity(plan.sidecars.count)
        for spec in plan.sidecars {
            let group = place(for: spec)
            while isPlanned.count < groups.count { isPlanned.append(false) }
            isPlanned[group] = true
            places.append(group)
            declareInstances(of: group, at: now)
        }
        for group in groups.indices where !isPlanned[group] && groups[group].isDeclared {
            groups[group].isDeclared = false
            for slot in groups[group].instances { undeclare(slot) }
        }
        for (position, group) in places.enumerated() {
            groups[group].edges = plan.edges[position].map {
                Group.Edge(
                    target: places[$0.target], condition: $0.condition, required: $0.required, quorum: $0.quorum)
            }
        }
        connect()
    }

    /// Derives `dependents` from `edges`. Groups on their way out keep their edges: they still leave in order.
    private mutating func connect() {
        for group in groups.indices { groups[group].dependents.removeAll(keepingCapacity: true) }
        for group in groups.indices {
            for edge in groups[group].edges where groups[edge.target].dependents.last != group {
                groups[edge.target].dependents.append(group)
            }
        }
    }

    private mutating func place(for spec: SidecarSpec) -> Int {
        if let known = groupPlaces[spec.name] {
            groups[known].spec = spec
            groups[known].isDeclared = true
            return known
        }
        let group: Int
        if let free = freeGroups.popLast() {
            group = free
            groups[free] = Group(name: spec.name, spec: spec)
        } else {
            group = groups.count
            groups.append(Group(name: spec.name, spec: spec))
        }
        groupPlaces[spec.name] = group
        return group
    }

    private mutating func declareInstances(of group: Int, at now: Instant) {
        let replicas = groups[group].spec.replicas
        // Of those on their way out some may be gone already and others not: the numbers can have holes.
        var isThere = [Bool](repeating: false, count: replicas)
        for slot in groups[group].instances where slots[slot].replica < replicas {
            isThere[slots[slot].replica] = true
        }
        for replica in isThere.indices where !isThere[replica] {
            addInstance(group: group, replica: replica, at: now)
        }
        for slot in groups[group].instances {
            if slots[slot].replica >= replicas {
                undeclare(slot)
            } else if !slots[slot].isDeclared {
                change(slot) { $0.isDeclared = true }
            }
        }
    }

    @discardableResult
    mutating func addInstance(group: Int, replica: Int, at now: Instant) -> Int {
        let slot: Int
        let instance = Instance(group: group, replica: replica, shared: groups[group].shared, at: now)
        if let free = freeSlots.popLast() {
            slot = free
            slots[free] = instance
        } else {
            slot = slots.count
            slots.append(instance)
        }
        makeRoom(for: slot)
        let place = groups[group].instances.lastIndex { slots[$0].replica < replica }
        groups[group].instances.insert(slot, at: place.map { $0 + 1 } ?? 0)
        return slot
    }

    private mutating func undeclare(_ slot: Int) {
        guard slots[slot].isDeclared else { return }
        let wasWanted = slots[slot].isWanted
        change(slot) {
            $0.isDeclared = false
            $0.leave(by: .apply)
        }
        takeBack(slot, wasWanted: wasWanted)
    }

    /// A selected instance is wanted; what changed of its spec is taken over in place where that will do.
    private mutating func bring(_ slot: Int, toSpecOf group: Int, at now: Instant) {
        let shared = groups[group].shared
        let spec = shared.value
        let isReplacing = !slots[slot].isGone && slots[slot].startedFingerprint != spec.restartFingerprint
        let runsAgain = slots[slot].isGone && slots[slot].startedFingerprint != spec.restartFingerprint
        let wasHalted = slots[slot].isRestartHalted
        change(slot) { instance in
            instance.isWanted = true
            instance.initiator = .apply
            instance.forgive()
            // Whoever asked for its restart gets it, whatever is declared meanwhile.
            let asked = instance.isRolled ? nil : instance.pendingRestart
            guard !isReplacing else {
                instance.pendingRestart = asked ?? .apply
                return
            }
            // What it refers to has moved all the same, be it in an earlier change whose branch was halted.
            instance.pendingRestart = asked ?? (!instance.isGone && instance.holdsDeadAddresses ? .dependency : nil)
            instance.retime(by: spec)
            instance.rearmProbes(changedBy: spec, at: now)
            let stop = instance.spec.stop
            instance.shared = shared
            // A stop under way ends as it began: half of one sequence and half of another could be no grace at all.
            if case .stopping = instance.phase { instance.spec.stop = stop }
        }
        if wasHalted, slots[slot].pendingRestart == nil {
            enter(slot, slots[slot].phase, by: .apply, cause: "declared again as it runs", at: now)
        }
        switch slots[slot].phase {
        case .waiting where slots[slot].waitsForChangedRun && !runsAgain,
            .blocked where slots[slot].waitsForChangedRun && !runsAgain:
            change(slot) { $0.waitsForChangedRun = false }
            enter(slot, .completed, by: .apply, cause: "declared again as it was when it completed", at: now)
        case .failed, .backoff, .blocked:
            enter(slot, .waiting(for: []), by: .apply, cause: "applied", at: now)
        case .completed where runsAgain:
            change(slot) { $0.waitsForChangedRun = true }
            enter(slot, .waiting(for: []), by: .apply, cause: "its declaration changed since it completed", at: now)
        case .completed where slots[slot].wouldRunAgain:
            enter(slot, .waiting(for: []), by: .apply, cause: "its restart policy has it run again", at: now)
        case .completed, .stopped, .waiting, .starting, .healthy, .unhealthy, .stopping: break
        }
    }

    /// Frees the place of an instance that is no longer declared and gone; that of its group with the last one.
    mutating func retire(_ slot: Int) {
        guard !slots[slot].isRetired else { return }
        slots[slot].isRetired = true
        deadlines.set(nil, for: slot)
        effects.append(.retire(InstanceIndex(slot)))
        let group = slots[slot].group
        groups[group].instances.removeAll { $0 == slot }
        freeSlots.append(slot)
        guard groups[group].instances.isEmpty, !groups[group].isDeclared else { return }
        let targets = groups[group].edges
        for dependent in groups[group].dependents {
            groups[dependent].edges.removeAll { $0.target == group }
            if !groups[dependent].isDeclared { join(dependent, to: targets) }
        }
        for edge in groups[group].edges { groups[edge.target].dependents.removeAll { $0 == group } }
        groups[group].edges = []
        groups[group].dependents = []
        groupPlaces[groups[group].name] = nil
        freeGroups.append(group)
    }

    /// It leaves, and what was between them is gone: their order stays.
    private mutating func join(_ dependent: Int, to targets: [Group.Edge]) {
        for edge in targets where !groups[edge.target].dependents.contains(dependent) {
            groups[dependent].edges.append(edge)
            groups[edge.target].dependents.append(dependent)
        }
    }

    /// The groups and all they require, transitively, as a flag for each group.
    func closure(of roots: [Int]) -> [Bool] {
        var isIn = [Bool](repeating: false, count: groups.count)
        var stack = roots
        for root in roots { isIn[root] = true }
        while let group = stack.popLast() {
            for edge in groups[group].edges where edge.required && !isIn[edge.target] {
                isIn[edge.target] = true
                stack.append(edge.target)
            }
        }
        return isIn
    }
}

extension Instance {
    /// By the policy of now a service that ended as this one did does not rest.
    fileprivate var wouldRunAgain: Bool {
        guard spec.kind == .service, let lastExit else { return false }
        let decision = RestartDecision(policy: spec.restart, end: .exit(lastExit), failures: 0, recent: 0) { 0 }
        if case .retry = decision { return true }
        return false
    }

    /// What limits the life under way counts from when it did: what is over by the new limits ends at once.
    fileprivate mutating func retime(by new: SidecarSpec) {
        guard var run = phase.run else { return }
        switch phase {
        case .starting:
            run.limitStart(to: new.start.timeout)
            // Of an external one, which is not spawned, nothing has to settle.
            if spec.kind != .external { run.settle(for: new.settlingTime) }
        case .healthy, .unhealthy: break
        case .stopped, .waiting, .blocked, .backoff, .failed, .completed, .stopping: return
        }
        if run.wasSpawned { run.limitRun(of: new) }
        phase.run = run
    }

    /// Health never carries over to a probe that asks something else, but the state it led to holds until it answers.
    fileprivate mutating func rearmProbes(changedBy new: SidecarSpec, at now: Instant) {
        guard var run = phase.run else { return }
        switch phase {
        case .starting(_, .running), .healthy, .unhealthy: break
        case .starting:
            // The probes of what is not spawned yet begin with it.
            (run.startup, run.readiness, run.liveness) = (nil, nil, nil)
            phase.run = run
            return
        case .stopped, .waiting, .blocked, .backoff, .failed, .completed, .stopping: return
        }
        for role in ProbeRole.allCases where spec.health[role] != new.health[role] {
            guard let probe = new.health[role] else {
                run[role] = nil
                continue
            }
            if run[role] == nil {
                var counter = ProbeCounter()
                switch role {
                // Who has started has no startup to be asked about.
                case .startup where phase.name != .starting: counter.pass()
                // It was taken for ready before anything asked: what says otherwise from now on counts.
                case .readiness where phase.name != .starting:
                    counter.resume(probe, isPassing: phase.name == .healthy, at: now)
                case .startup, .readiness, .liveness: counter.activate(probe, at: now)
                }
                run[role] = counter
            } else {
                run[role]?.rearm(probe, at: now)
            }
        }
        // The startup that held the others back may be gone.
        if run.startup == nil { run.openGate(of: new, at: now) }
        if new.health.readiness == nil, run.settleAt == nil { run.settle(from: run.startedAt, for: new.settlingTime) }
        phase.run = run
    }
}
