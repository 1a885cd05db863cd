package import Planning
package import SidecarModel

/// Decides what is to be done so that what runs becomes what is declared. Pure: time is an argument, the world answers
/// through `observe`, deadlines are state.
///
/// After `reconcile(at:)` a second call at the same instant returns nothing, and `nextDeadline` is later than it. Work
/// is proportional to what changed: a fact touches its instance, and a change of state those around it in the graph.
package struct Reconciler: Sendable {
    package internal(set) var plan: Plan
    var groups: [Group] = []
    var slots: [Instance] = []
    var groupPlaces: [String: Int] = [:]
    var freeGroups: [Int] = []
    var freeSlots: [Int] = []

    var deadlines = DeadlineQueue()
    var jitter: JitterGenerator
    var nextIncarnation: UInt64
    private var dirty: [Int] = []
    /// Those of them before it were looked at.
    private var firstDirty = 0
    private var isDirty: [Bool] = []
    /// Instances with a probe that may be due in this turn.
    private var probing: [Int] = []
    private var changed: [Int] = []
    private var isChanged: [Bool] = []
    var effects: [Effect] = []
    private var transitions: [Transition] = []

    /// Instances that are not gone; in a shutdown, what is left to do.
    private(set) var lives = 0
    /// Those of them that are no longer declared.
    private(set) var leavingLives = 0
    /// Instances that are on their way out for good.
    private(set) var leavers = 0
    /// Instances that are to be replaced, or being stopped for it: what an apply's new starts wait for.
    private(set) var replacements = 0
    /// Instances that stop, or start, on the way to a new life.
    private(set) var replacementsUnderWay = 0
    /// Instances whose replacement was halted.
    private(set) var halts = 0
    /// Instances between their start and their first health, against `start.max_parallel`.
    private(set) var starts = 0
    /// Instances that wait for one of those to be over, first come first served.
    private var turnQueue: [Int] = []
    private var applyWaiters: [Int] = []

    var shutdown: Shutdown?
    var hurry: Hurry?

    struct Shutdown: Sendable {
        var code: Int32
        var isFinished = false
    }

    /// - Parameters:
    ///   - seed: of the generator that draws the jitter.
    ///   - firstIncarnation: later than any that the project has ever used.
    package init(plan: Plan, seed: UInt64, firstIncarnation: UInt64 = 1) {
        self.plan = plan
        jitter = JitterGenerator(seed: seed)
        nextIncarnation = firstIncarnation
        let start = Instant(nanoseconds: 0)
        declare(plan, at: start)
        dirty.removeAll(keepingCapacity: true)
        isDirty = isDirty.map { _ in false }
    }

    /// Folds one fact or request in.
    package mutating func observe(_ input: Input, at now: Instant) {
        switch input {
        case .apply(let plan, let selection): apply(plan, selection: selection, at: now)
        case .start(let names, let initiator): start(names, by: initiator, at: now)
        case .stop(let names, let scope, let initiator): stop(names, scope: scope, by: initiator, at: now)
        case .restart(let names, let initiator): restart(names, by: initiator, at: now)
        case .run(let name): run(name, at: now)
        case .shutdown(let initiator): beginShutdown(by: initiator, code: 0, at: now)
        case .hurry(let hurry): self.hurry(hurry)
        case .spawned(let instance, let incarnation, let facts):
            if let slot = current(instance, incarnation) { spawned(slot, facts, at: now) }
        case .spawnFailed(let instance, let incarnation, let failure):
            if let slot = current(instance, incarnation) { spawnFailed(slot, failure, at: now) }
        case .hookFinished(let instance, let incarnation, let event, let failure):
            if let slot = current(instance, incarnation) { hookFinished(slot, event, failure, at: now) }
        case .probed(let instance, let incarnation, let role, let outcome):
            if let slot = current(instance, incarnation) { probed(slot, role, outcome, at: now) }
        case .startExtended(let instance, let incarnation, let duration):
            if let slot = current(instance, incarnation) { startExtended(slot, by: duration, at: now) }
        case .exited(let instance, let incarnation, let status, let portConflict):
            if let slot = current(instance, incarnation) { exited(slot, status, portConflict, at: now) }
        case .emptied(let instance, let incarnation):
            if let slot = current(instance, incarnation) { emptied(slot, at: now) }
        case .survived(let instance, let incarnation, let survivors):
            if let slot = current(instance, incarnation) { survived(slot, survivors, at: now) }
        case .portMoved(let instance, let told): portMoved(instance, told, at: now)
        case .tick: break
        }
    }

    /// What is to be done now, or the first of it: `hasMore` tells whether to ask again before anything else is waited
    /// for.
    ///
    /// - Parameter limit: how many effects are enough for now. Those of one instance stay together.
    package mutating func reconcile(at now: Instant, atMost limit: Int = .max) -> [Effect] {
        defer { effects = [] }
        repeat {
            // What time ends, it ends before anything begins: the end of a primary is the end of all.
            while let slot = deadlines.popDue(at: now) {
                expire(slot, at: now)
                touch(slot)
            }
            while firstDirty < dirty.count {
                guard effects.count < limit else { return effects }
                let slot = dirty[firstDirty]
                firstDirty += 1
                isDirty[slot] = false
                while advance(slot, at: now) {}
                deadlines.set(slots[slot].phase.deadline, for: slot)
            }
            dirty.removeAll(keepingCapacity: true)
            firstDirty = 0
            // Whoever was given a turn may have had no use for it: the next one in line gets it.
            giveNextTurn()
            if dirty.isEmpty { beginProbes(at: now) }
        } while !dirty.isEmpty || deadlines.next.map({ $0 <= now }) ?? false
        finishWhenEmpty()
        return effects
    }

    /// True when the limit cut the last call short.
    package var hasMore: Bool { firstDirty < dirty.count }

    /// The last thing of a turn: who was told to stop in it is not asked any more.
    private mutating func beginProbes(at now: Instant) {
        for slot in probing {
            beginDueProbes(slot, at: now)
            deadlines.set(slots[slot].phase.deadline, for: slot)
        }
        probing.removeAll(keepingCapacity: true)
    }

    /// When to call again if nothing happens before. Nil: not at all.
    package var nextDeadline: Instant? { deadlines.next }

    package mutating func takeTransitions() -> [Transition] {
        defer { transitions.removeAll(keepingCapacity: true) }
        return transitions
    }

    /// Instances whose record changed since the last call, with what to store. To be stored before the effects of the
    /// same turn are performed (but see `Effect.belongsToEnd`): an incarnation must be known before its process can exist.
    package mutating func takeChangedRecords() -> [InstanceRecord] {
        defer {
            for slot in changed { isChanged[slot] = false }
            changed.removeAll(keepingCapacity: true)
        }
        return changed.compactMap { slots[$0].isRetired ? nil : record(of: $0) }
    }
}

// MARK: - The one way an instance changes

extension Reconciler {
    /// The instance's place when the fact is about its current life.
    private func current(_ instance: InstanceIndex, _ incarnation: Incarnation) -> Int? {
        guard slots.indices.contains(instance.value), !slots[instance.value].isRetired,
            slots[instance.value].incarnation == incarnation
        else { return nil }
        return instance.value
    }

    mutating func touch(_ slot: Int) {
        guard !isDirty[slot] else { return }
        isDirty[slot] = true
        dirty.append(slot)
    }

    mutating func probeLater(_ slot: Int) { probing.append(slot) }

    mutating func touch(group: Int) {
        for slot in groups[group].instances { touch(slot) }
    }

    /// Grows the per-slot tables. Called once for each new place.
    mutating func makeRoom(for slot: Int) {
        while isDirty.count <= slot {
            isDirty.append(false)
            isChanged.append(false)
        }
    }

    /// Enters a phase and says why.
    mutating func enter(
        _ slot: Int, _ phase: Phase, by initiator: Initiator, cause: String, causedBy: String? = nil, at now: Instant
    ) {
        let before = slots[slot].phase.name
        let reason = slots[slot].reason
        change(slot) { instance in
            if before == .healthy, phase.name != .healthy { instance.leaveHealth(at: now) }
            instance.phase = phase
            instance.reason = cause
            if before != phase.name { instance.since = now }
            switch phase.name {
            case .healthy:
                instance.isCycling = false
                if instance.healthySince == nil { instance.healthySince = now }
            case .completed, .stopped: (instance.isCycling, instance.isRestart) = (false, false)
            case .failed: (instance.isCycling, instance.isRestart) = (false, true)
            case .blocked: instance.isCycling = false
            case .waiting, .starting, .unhealthy, .stopping, .backoff, .scheduled: break
            }
        }
        guard before != phase.name || reason != cause else { return }
        // In the same state for another reason: who is blocked by it says that one.
        if before == phase.name { wakeBlocked(by: slots[slot].group) }
        transitions.append(
            Transition(
                instance: InstanceIndex(slot), incarnation: slots[slot].incarnation, at: now, from: before,
                to: phase.name, initiator: initiator, cause: cause, causedBy: causedBy))
    }

    /// Applies a change and keeps every count that is derived from it; touches those around whom it may concern.
    mutating func change(_ slot: Int, _ body: (inout Instance) -> Void) {
        let before = InstanceTraits(slots[slot])
        body(&slots[slot])
        let after = InstanceTraits(slots[slot])
        touch(slot)
        if !isChanged[slot] {
            isChanged[slot] = true
            changed.append(slot)
        }
        guard before != after else { return }
        let group = slots[slot].group
        if before.levels != after.levels {
            groups[group].adjust(by: before.levels, -1)
            groups[group].adjust(by: after.levels, 1)
        }
        lives += after.lives - before.lives
        leavingLives += after.leavingLives - before.leavingLives
        leavers += (after.isLeaving ? 1 : 0) - (before.isLeaving ? 1 : 0)
        replacements += after.replacements - before.replacements
        replacementsUnderWay += after.replacementsUnderWay - before.replacementsUnderWay
        halts += after.halts - before.halts
        starts += after.starts - before.starts
        groups[group].unsettled += after.unsettled - before.unsettled
        // What SIGKILL could not end is in the same state, and will give nothing any more.
        if before.levels != after.levels || before.name != after.name || before.isWanted != after.isWanted
            || before.lives != after.lives
        {
            wakeDependents(of: group, mayRecover: after.levels.subtracting(before.levels) != [])
        }
        if before.lives != after.lives || before.isLeaving != after.isLeaving { wakeQueuedDependencies(of: group) }
        if after.unsettled < before.unsettled || before.isOnItsWay && !after.isOnItsWay {
            wakeReplacements(around: group)
        }
        if after.unsettled > before.unsettled { wakeWaiters(on: group) }
        if halts > 0 { touchHalted(in: group) }
        if after.starts < before.starts { giveNextTurn() }
        // While something is on its way out or being replaced, they would only find that they have to wait on.
        if leavingLives == 0, replacements == 0 || replacementsUnderWay == 0 { wakeApplyWaiters() }
    }

    private mutating func wakeApplyWaiters() {
        for waiter in applyWaiters {
            slots[waiter].isApplyWaiter = false
            touch(waiter)
        }
        applyWaiters.removeAll(keepingCapacity: true)
    }

    /// Those who wait for this group look again. One that had failed gets a new chance when its dependency recovered.
    private mutating func wakeDependents(of group: Int, mayRecover: Bool) {
        for dependent in groups[group].dependents {
            for slot in groups[dependent].instances {
                switch slots[slot].phase {
                case .waiting, .blocked: touch(slot)
                case .failed:
                    if mayRecover, !slots[slot].hasHopeFrom.contains(group) {
                        slots[slot].hasHopeFrom.append(group)
                        touch(slot)
                    }
                case .starting, .healthy, .unhealthy: if slots[slot].awaitsReplacement { touch(slot) }
                case .stopped, .backoff, .completed, .stopping: break
                }
            }
        }
    }

    private mutating func wakeBlocked(by group: Int) {
        for dependent in groups[group].dependents {
            for slot in groups[dependent].instances { if case .blocked = slots[slot].phase { touch(slot) } }
        }
    }

    /// Those who wait for others too wait for this one now.
    private mutating func wakeWaiters(on group: Int) {
        for dependent in groups[group].dependents {
            for slot in groups[dependent].instances { if case .waiting = slots[slot].phase { touch(slot) } }
        }
    }

    private mutating func wakeReplacements(around group: Int) {
        for slot in groups[group].instances where slots[slot].awaitsReplacement { touch(slot) }
        wakeWaiters(on: group)
        for dependent in groups[group].dependents {
            for slot in groups[dependent].instances where slots[slot].awaitsReplacement { touch(slot) }
        }
    }

    private mutating func touchHalted(in group: Int) {
        for slot in groups[group].instances where slots[slot].isRestartHalted { touch(slot) }
    }
}

// MARK: - Turns

extension Reconciler {
    /// True when `start.max_parallel` allows one more start; else the instance stands in line.
    mutating func takesTurn(_ slot: Int) -> Bool {
        guard let cap = plan.project.maxParallelStarts, slots[slot].spec.kind != .external else { return true }
        if starts < cap {
            slots[slot].isInLine = false
            return true
        }
        if !slots[slot].isInLine {
            slots[slot].isInLine = true
            turnQueue.append(slot)
        }
        return false
    }

    mutating func giveNextTurn() {
        guard !turnQueue.isEmpty else { return }
        var free = (plan.project.maxParallelStarts ?? .max) - starts
        var taken = 0
        for slot in turnQueue {
            guard free > 0 else { break }
            taken += 1
            guard slots[slot].isInLine else { continue }
            slots[slot].isInLine = false
            touch(slot)
            free -= 1
        }
        turnQueue.removeFirst(taken)
    }

    /// True for a first start while an apply still stops what it removes or replaces: it may need what those hold.
    mutating func waitsForApply(_ slot: Int) -> Bool {
        guard slots[slot].incarnation.number == 0, leavingLives > 0 || isReplacing else { return false }
        if !slots[slot].isApplyWaiter {
            slots[slot].isApplyWaiter = true
            applyWaiters.append(slot)
        }
        return true
    }

    /// True while a replacement makes headway. One that waits for others may wait for ever, or for a new start.
    private var isReplacing: Bool {
        guard replacements > 0 else { return false }
        guard replacementsUnderWay == 0 else { return true }
        return slots.indices.contains { slot in
            guard !slots[slot].isRetired, slots[slot].pendingRestart != nil else { return false }
            switch slots[slot].phase {
            case .healthy, .unhealthy: return mayBeReplaced(slot)
            case .stopped, .waiting, .blocked, .backoff, .failed, .completed, .starting, .stopping: return false
            }
        }
    }

    private mutating func finishWhenEmpty() {
        guard let shutdown, !shutdown.isFinished, lives == 0 else { return }
        self.shutdown?.isFinished = true
        let someoneLives = slots.contains { if case .stopping = $0.phase { !$0.isRetired } else { false } }
        effects.append(.finish(code: someoneLives ? 1 : shutdown.code))
    }
}
