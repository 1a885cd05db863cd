import Planning
import SidecarModel

extension Reconciler {
    enum Verdict {
        case go
        /// On these groups, which are on their way.
        case wait([Int])
        /// By these groups, which are not.
        case blocked([Int])
    }

    /// Whether the instance's edges hold now. Conditions are levels: whoever starts late, or again, waits anew.
    func verdict(for slot: Int) -> Verdict {
        var waiting: [Int] = []
        var blocking: [Int] = []
        for edge in groups[slots[slot].group].edges {
            if holds(edge) {
                if !holdsSettled(edge) { waiting.append(edge.target) }
            } else if edge.required {
                if mayHold(edge) { waiting.append(edge.target) } else { blocking.append(edge.target) }
            } else if isUnderWay(edge) {
                waiting.append(edge.target)
            }
        }
        if !blocking.isEmpty { return .blocked(blocking) }
        return waiting.isEmpty ? .go : .wait(waiting)
    }

    private func needed(for edge: Group.Edge) -> Int {
        let all = groups[edge.target].spec.replicas
        return min(edge.quorum ?? all, all)
    }

    func holds(_ edge: Group.Edge) -> Bool {
        groups[edge.target].count(of: .level(for: edge.condition)) >= needed(for: edge)
    }

    /// As `holds`, without those that are about to be replaced: who starts on them would lose them at once.
    private func holdsSettled(_ edge: Group.Edge) -> Bool {
        guard groups[edge.target].unsettled > 0 else { return true }
        let level = Levels.level(for: edge.condition)
        let settled = groups[edge.target].instances.count {
            slots[$0].levels.contains(level) && !slots[$0].isUnsettled
        }
        return settled >= needed(for: edge)
    }

    /// Enough instances hold the condition or can still come to.
    private func mayHold(_ edge: Group.Edge) -> Bool {
        let level = Levels.level(for: edge.condition)
        let possible = groups[edge.target].instances.count { slots[$0].mayReach(level) }
        return possible >= needed(for: edge)
    }

    /// An order-only edge waits for what is coming up, and for nothing that has failed or is not wanted.
    private func isUnderWay(_ edge: Group.Edge) -> Bool {
        let level = Levels.level(for: edge.condition)
        return groups[edge.target].instances.contains { slot in
            guard slots[slot].isWanted, !slots[slot].levels.contains(level) else { return false }
            switch slots[slot].phase {
            case .waiting, .starting: return true
            case .stopped, .blocked, .backoff, .failed, .completed, .healthy, .unhealthy, .stopping: return false
            }
        }
    }

    /// Names the first and the last of each way that leads to what is wrong: a sentence that held those between too
    /// would grow with the depth of the graph, and double at each of its diamonds.
    func blockedCause(_ groups: [Int]) -> String {
        let told = 3
        let causes = groups.prefix(told).map { group in
            let name = self.groups[group].name
            guard let slot = worstInstance(of: group) else { return "\(name) has no instance" }
            let place = rootCause(of: slot)
            let root = slots[place]
            let state = root.phase.name.rawValue
            let what = root.reason.isEmpty ? state : "\(state): \(root.reason)"
            let cause = label(of: place)
            return place == slot ? "\(cause) is \(what)" : "\(name) is blocked by \(cause), which is \(what)"
        }
        let more = groups.count > told ? ["and \(groups.count - told) more"] : []
        return (causes + more).joined(separator: "; ")
    }

    /// The first of those that are furthest from being there.
    private func worstInstance(of group: Int) -> Int? {
        groups[group].instances.min { distance(of: $0) > distance(of: $1) }
    }

    private func distance(of slot: Int) -> Int {
        // Who waits does not wait for one that is to leave.
        guard slots[slot].isDeclared else { return -1 }
        switch slots[slot].phase {
        case .failed: return 5
        case .stopped, .stopping: return slots[slot].isWanted ? 3 : 4
        case .blocked: return 3
        case .completed: return 2
        case .waiting, .backoff, .starting, .unhealthy: return 1
        case .healthy: return 0
        }
    }

    /// Where one leads that is blocked by others, which may be so themselves.
    private func rootCause(of slot: Int) -> Int {
        var root = slot
        for _ in groups {
            guard case .blocked(let by) = slots[root].phase, let next = by.first.flatMap(worstInstance) else { break }
            root = next
        }
        return root
    }

    // MARK: Replacement

    /// Dependencies are replaced before dependents, and of the instances of a sidecar that are up one at a time, the
    /// highest first, while none of the others is down. With one that is not up yet nothing is lost.
    func mayBeReplaced(_ slot: Int) -> Bool {
        let group = slots[slot].group
        for edge in groups[group].edges where groups[edge.target].unsettled > 0 { return false }
        guard isGround(for: slot) else { return false }
        if case .starting = slots[slot].phase { return true }
        for sibling in groups[group].instances where sibling != slot {
            if slots[sibling].isOnItsWay || slots[sibling].isCycling { return false }
            if slots[sibling].pendingRestart != nil, slots[sibling].replica > slots[slot].replica { return false }
        }
        return true
    }

    /// True when its successor could start. A life is not ended for one that could not; but who asks for the restart of
    /// one by name gets it.
    private func isGround(for slot: Int) -> Bool {
        guard slots[slot].isRolled else { return true }
        if case .go = verdict(for: slot) { return true }
        return false
    }

    /// By whom the replacement that is to come is made impossible, when it is by somebody.
    func obstacle(toReplacementOf slot: Int) -> [Int]? {
        let group = slots[slot].group
        guard slots[slot].isRolled, groups[group].edges.allSatisfy({ groups[$0.target].unsettled == 0 }),
            case .blocked(let by) = verdict(for: slot)
        else { return nil }
        return by
    }

    /// A replacement went wrong: what would have followed it in this branch keeps its old life until that is mended.
    /// - Parameters:
    ///   - cause: the sidecar that is to be well first.
    ///   - label: the same, or that instance of it.
    mutating func haltReplacements(of group: Int, for cause: String, label: String? = nil, at now: Instant) {
        guard replacements > 0 else { return }
        var stack = [group]
        var isSeen = [Bool](repeating: false, count: groups.count)
        isSeen[group] = true
        while let next = stack.popLast() {
            for slot in groups[next].instances where slots[slot].pendingRestart != nil {
                // One whose old life is ending anyway has none to keep.
                if case .stopping = slots[slot].phase { continue }
                halt(slot, for: cause, label ?? cause, at: now)
            }
            for dependent in groups[next].dependents where !isSeen[dependent] && requires(dependent, next) {
                isSeen[dependent] = true
                stack.append(dependent)
            }
        }
    }

    /// Nothing is left to do where only a person asked for a new life that is as the old one.
    private mutating func halt(_ slot: Int, for cause: String, _ label: String, at now: Instant) {
        guard dueReplacement(of: slot) != nil else { return change(slot) { $0.pendingRestart = nil } }
        change(slot) { $0.replacement = .halted }
        enter(
            slot, slots[slot].phase, by: .dependency, cause: haltedReason(of: slot, waitingFor: [label]),
            causedBy: cause, at: now)
    }

    /// Who has its life give way to a new one, by what that was started with. Nil: it is as it should be.
    func dueReplacement(of slot: Int) -> Initiator? {
        let instance = slots[slot]
        if case .stopping = instance.phase { return nil }
        guard !instance.isGone else { return nil }
        if instance.holdsDeadAddresses { return .dependency }
        return instance.startedFingerprint != groups[instance.group].spec.restartFingerprint ? .apply : nil
    }

    /// What it waits for now, which may be another one by now than what halted it.
    func haltedReason(of slot: Int) -> String {
        haltedReason(of: slot, waitingFor: obstacles(toResumptionOf: slot))
    }

    private func haltedReason(of slot: Int, waitingFor names: [String]) -> String {
        let why = slots[slot].holdsDeadAddresses ? "an address it holds has moved" : "it runs as it was declared before"
        guard !names.isEmpty else { return why }
        let list = names.joined(separator: ", ")
        return "\(why); its restart waits until \(list) \(names.count == 1 ? "is" : "are") well"
    }

    /// What halted it is mended: what it depends on is there, and all other instances of its sidecar are well that are to
    /// be, or wait for the same.
    func mayResumeReplacement(of slot: Int) -> Bool {
        slots[slot].isRestartHalted && obstacles(toResumptionOf: slot).isEmpty
    }

    private func obstacles(toResumptionOf slot: Int) -> [String] {
        switch verdict(for: slot) {
        case .blocked(let targets), .wait(let targets): return targets.map { groups[$0].name }
        case .go: break
        }
        let group = slots[slot].group
        let unsettled = groups[group].edges.map(\.target).filter { groups[$0].unsettled > 0 }
        guard unsettled.isEmpty else { return unsettled.map { groups[$0].name } }
        return groups[group].instances.filter { $0 != slot && !isWellOrLikewise($0) }.map(label)
    }

    private func isWellOrLikewise(_ sibling: Int) -> Bool {
        guard slots[sibling].isDeclared, slots[sibling].isWanted, !slots[sibling].isRestartHalted else { return true }
        switch slots[sibling].phase {
        case .healthy, .completed: return !slots[sibling].isCycling
        case .stopped, .waiting, .blocked, .backoff, .failed, .starting, .unhealthy, .stopping: return false
        }
    }

    mutating func resumeReplacements(of group: Int) {
        for slot in groups[group].instances where slots[slot].isRestartHalted {
            let due = dueReplacement(of: slot)
            change(slot) { $0.pendingRestart = due }
        }
    }

    /// Sidecars with running instances that require one of these, transitively: who goes with them in a cascade. In
    /// manifest order.
    package func dependents(runningOn sidecars: [String]) -> [String] {
        runningDependents(of: sidecars.compactMap { groupPlaces[$0] }, where: requires)
    }

    /// Those of them whom a stop of these sidecars or instances would pull the ground from: a quorum that the others still
    /// make is none the worse for it.
    package func dependents(losing names: [String]) -> [String] {
        let named = instances(named: names)
        var isNamed = [Bool](repeating: false, count: slots.count)
        var roots: [Int] = []
        for slot in named {
            isNamed[slot] = true
            if !roots.contains(slots[slot].group) { roots.append(slots[slot].group) }
        }
        return runningDependents(of: roots) { dependent, group in
            groups[dependent].edges.contains { edge in
                guard edge.target == group, edge.required else { return false }
                // Of a dependency that goes as a dependent itself nothing stays.
                guard edge.quorum != nil, roots.contains(group) else { return true }
                let level = Levels.level(for: edge.condition)
                let staying = groups[group].instances.count { !isNamed[$0] && slots[$0].levels.contains(level) }
                return staying < needed(for: edge)
            }
        }
    }

    private func runningDependents(of roots: [Int], where follows: (_ dependent: Int, _ group: Int) -> Bool) -> [String]
    {
        var isMeant = [Bool](repeating: false, count: groups.count)
        var stack = roots
        var found = isMeant
        while let group = stack.popLast() {
            for dependent in groups[group].dependents where !isMeant[dependent] && follows(dependent, group) {
                isMeant[dependent] = true
                stack.append(dependent)
                found[dependent] = groups[dependent].instances.contains { !slots[$0].isGone }
            }
        }
        for root in roots { found[root] = false }
        return plan.sidecars.compactMap { groupPlaces[$0.name] }.filter { found[$0] }.map { groups[$0].name }
    }
}

extension SidecarSpec {
    /// True when a template of this spec names an address of the other sidecar.
    package func refers(to sidecar: String) -> Bool {
        refers { reference in
            switch reference {
            case .sidecarPort(let name, _, _), .sidecarHost(let name), .sidecarAddresses(let name, _): name == sidecar
            case .port, .projectName, .projectDirectory, .projectData, .sidecarName, .replica: false
            }
        }
    }

    /// Holds what another host or list of addresses stands for, now that these are declared otherwise.
    func isOutdated(by changes: [String: (from: SidecarSpec, to: SidecarSpec)]) -> Bool {
        refers { reference in
            switch reference {
            case .sidecarHost(let name): changes[name].map { $0.ports.first?.bind != $1.ports.first?.bind } ?? false
            case .sidecarAddresses(let name, let port):
                changes[name].map { $0.replicas != $1.replicas || $0.bind(of: port) != $1.bind(of: port) } ?? false
            case .sidecarPort, .port, .projectName, .projectDirectory, .projectData, .sidecarName, .replica: false
            }
        }
    }

    private func bind(of port: String) -> String? { ports.first { $0.name == port }?.bind }

    private func refers(_ isSuch: (Reference) -> Bool) -> Bool {
        templates.contains { $0.references.contains(where: isSuch) }
    }
}
