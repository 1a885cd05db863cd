import SidecarModel

extension Reconciler {
    /// The instances meant by names: `db` is all of its instances, `mcp/0` one. Unknown names mean none.
    func instances(named names: [String]) -> [Int] {
        names.flatMap { places(named: $0) }.filter { slots[$0].isDeclared }
    }

    /// With those that are being removed.
    func places(named name: String) -> [Int] {
        if let group = groupPlaces[name] { return groups[group].instances }
        guard let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")),
            let replica = Int(name[name.index(after: slash)...]),
            let group = groupPlaces[String(name[..<slash])]
        else { return [] }
        return groups[group].instances.filter { slots[$0].replica == replica }
    }

    mutating func start(_ names: [String], by initiator: Initiator, at now: Instant) {
        // What goes down as a whole comes up as a whole: by an apply.
        guard shutdown == nil else { return }
        let named = instances(named: names)
        wantDependencies(of: named, by: initiator, at: now)
        for slot in named {
            want(slot, by: initiator)
            switch slots[slot].phase {
            case .failed, .backoff, .blocked:
                enter(slot, .waiting(for: []), by: initiator, cause: "asked to start", at: now)
            case .completed where slots[slot].spec.kind != .task:
                enter(slot, .waiting(for: []), by: initiator, cause: "asked to start", at: now)
            case .completed, .stopped, .waiting, .starting, .healthy, .unhealthy, .stopping: break
            }
        }
    }

    mutating func stop(_ names: [String], scope: StopScope, by initiator: Initiator, at now: Instant) {
        // All have been asked; that the primary is where it ended is what the next supervisor knows the reason by.
        guard shutdown == nil else { return }
        var isMeant = [Bool](repeating: false, count: slots.count)
        var meant = instances(named: names)
        let named = meant.count
        for slot in meant { isMeant[slot] = true }
        if scope == .cascade {
            var head = 0
            while head < meant.count {
                let group = slots[meant[head]].group
                head += 1
                for dependent in groups[group].dependents where requires(dependent, group) {
                    // What is not declared any more leaves anyway, and nobody goes with it.
                    for slot in groups[dependent].instances where slots[slot].isDeclared && !isMeant[slot] {
                        isMeant[slot] = true
                        meant.append(slot)
                    }
                }
            }
        }
        for (place, slot) in meant.enumerated() {
            // What a task has done stays done: nothing of it is left to stop. Nor of who ended before whom it needed.
            if case .completed = slots[slot].phase, place >= named || slots[slot].spec.kind == .task { continue }
            unwant(slot, by: initiator)
        }
    }

    mutating func restart(_ names: [String], by initiator: Initiator, at now: Instant) {
        guard shutdown == nil else { return }
        let named = instances(named: names)
        wantDependencies(of: named, by: initiator, at: now)
        for slot in named {
            // A life that SIGKILL could not end counts as gone for others, but never has a successor beside it.
            let isOver = slots[slot].phase.run == nil
            want(slot, by: initiator)
            if !isOver {
                change(slot) { $0.pendingRestart = initiator }
            } else if case .waiting = slots[slot].phase {
                continue
            } else {
                change(slot) { $0.isRestart = $0.incarnation.number > 0 }
                enter(slot, .waiting(for: []), by: initiator, cause: "asked to restart", at: now)
            }
        }
    }

    /// Runs a task whatever became of it before.
    mutating func run(_ name: String, at now: Instant) {
        guard shutdown == nil else { return }
        let named = instances(named: [name])
        wantDependencies(of: named, by: .user, at: now)
        for slot in named {
            want(slot, by: .user)
            switch slots[slot].phase {
            case .completed, .failed, .backoff, .blocked:
                enter(slot, .waiting(for: []), by: .user, cause: "asked to run", at: now)
            case .stopped, .waiting, .starting, .healthy, .unhealthy, .stopping: break
            }
        }
    }

    mutating func beginShutdown(by initiator: Initiator, code: Int32, at now: Instant) {
        if shutdown == nil { shutdown = Shutdown(code: code) }
        for slot in slots.indices where !slots[slot].isRetired { unwant(slot, by: initiator) }
    }

    mutating func hurry(_ hurry: Hurry) {
        guard shutdown != nil, self.hurry.map({ $0 < hurry }) ?? true else { return }
        self.hurry = hurry
        for slot in slots.indices { if case .stopping = slots[slot].phase { touch(slot) } }
    }

    /// Who holds an address of this instance holds a dead one now.
    mutating func portMoved(_ instance: InstanceIndex, _ told: String?, at now: Instant) {
        guard slots.indices.contains(instance.value), !slots[instance.value].isRetired else { return }
        // A step of its own: whoever looks for why others were restarted finds it.
        if let told, case .starting = slots[instance.value].phase {
            enter(instance.value, slots[instance.value].phase, by: .supervisor, cause: told, at: now)
        }
        let name = groups[slots[instance.value].group].name
        for group in groups.indices where groups[group].isDeclared && groups[group].name != name {
            if groups[group].spec.refers(to: name) { restartHolders(in: group) }
        }
    }

    private mutating func want(_ slot: Int, by initiator: Initiator) {
        // A stop that has not begun yet took with it what was due.
        let due = slots[slot].isWanted ? nil : dueReplacement(of: slot)
        change(slot) {
            if let due { $0.pendingRestart = due }
            $0.waitsForChangedRun = false
            $0.isWanted = true
            $0.initiator = initiator
            $0.forgive()
        }
    }

    private mutating func unwant(_ slot: Int, by initiator: Initiator) {
        let wasWanted = slots[slot].isWanted
        change(slot) {
            $0.waitsForChangedRun = false
            $0.leave(by: initiator)
        }
        takeBack(slot, wasWanted: wasWanted)
    }

    /// It was to come back, and says so: it does not any more.
    mutating func takeBack(_ slot: Int, wasWanted: Bool) {
        guard wasWanted, case .stopping = slots[slot].phase else { return }
        let cause = stopCause(slot)
        change(slot) { $0.reason = cause }
    }

    /// Whoever is started pulls up what it requires. A sibling replica of what was named is no dependency of it.
    private mutating func wantDependencies(of named: [Int], by initiator: Initiator, at now: Instant) {
        let targets = named.flatMap { slot in groups[slots[slot].group].edges.filter(\.required).map(\.target) }
        let needed = closure(of: targets)
        for group in groups.indices where needed[group] {
            for slot in groups[group].instances where slots[slot].isDeclared && !slots[slot].isWanted {
                want(slot, by: initiator)
            }
        }
        var roots = [Bool](repeating: false, count: groups.count)
        for slot in named { roots[slots[slot].group] = true }
        for group in groups.indices where needed[group] || roots[group] {
            for edge in groups[group].edges where edge.required { startAgain(for: edge, by: initiator, at: now) }
        }
    }

    /// What has failed, or pauses before it is tried again, is tried at once, with a fresh budget. What has ended as it
    /// was needed to is not.
    private mutating func startAgain(for edge: Group.Edge, by initiator: Initiator, at now: Instant) {
        for slot in groups[edge.target].instances where slots[slot].isDeclared {
            switch slots[slot].phase {
            case .failed, .backoff:
                guard !slots[slot].levels.contains(.level(for: edge.condition)) else { continue }
                want(slot, by: initiator)
                enter(slot, .waiting(for: []), by: initiator, cause: "asked to start", at: now)
            case .stopped, .waiting, .blocked, .completed, .starting, .healthy, .unhealthy, .stopping: break
            }
        }
    }

    func requires(_ dependent: Int, _ group: Int) -> Bool {
        groups[dependent].edges.contains { $0.target == group && $0.required }
    }
}
