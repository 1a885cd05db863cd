package import Planning
package import Reconciliation
package import SidecarModel

/// A world that keeps the truth: processes, probes, people and supervisors that die, around the real core. It performs
/// the core's effects, tells it what happens, and checks the invariants at every effect.
package struct World: Sendable {
    enum Supervisor: Sendable { case running, lost }

    package internal(set) var now = Instant(nanoseconds: 1_000_000_000)
    package internal(set) var core: Reconciler
    package internal(set) var plan: Plan
    package var mix: FaultMix
    /// By sidecar: what its processes are like, instead of what chance says.
    package var natures: [String: Nature] = [:]
    /// What people still do by themselves.
    package var draft: ManifestDraft?
    package internal(set) var steps = 0
    package internal(set) var inputs = 0
    /// What happened, whether or not the core was told.
    package internal(set) var events = 0
    /// The code of `Effect.finish`, when the project is down.
    package internal(set) var finished: Int32?
    /// How many inputs pass between two looks at every instance.
    package var auditEvery = 16
    package var coverage: Coverage?
    /// What happened, line by line, when somebody asks for it.
    package var trace: [String]?

    /// Effects performed so far, and the one that is to go wrong.
    package internal(set) var performed = 0
    var failing: (number: Int, mode: FailingEffect.Mode)?

    var generator: Generator
    var bug: PlantedBug?
    var supervisor = Supervisor.running
    /// Counts supervisors: what was meant for one never reaches the next.
    var supervisors = 0
    var heap = EventHeap<Event>()
    var slots: [Slot] = []
    var slotNamed: [String: Int] = [:]
    /// By place in the reconciler: the slot, or -1.
    var slotAt: [Int] = []
    /// By place in the plan: the slots of that sidecar.
    var groups: [[Int]] = []
    /// By slot: the slots that depend on it.
    var dependents: [[Int]] = []
    var lives: [Life] = []
    var isShuttingDown = false
    /// The project goes down because its primary ended.
    var endsWithPrimary = false
    var primaryEndedAt: Instant?
    var hurry: Hurry?
    /// Nobody acts any more.
    var isLeftAlone = false
    /// The faults are over.
    var isCalm = false
    var nextPID: Int32 = 100
    var highestIncarnation = Incarnation(0)

    package init(draft: ManifestDraft, mix: FaultMix, seed: UInt64, bug: PlantedBug? = nil) {
        self.init(plan: draft.plan, mix: mix, seed: seed, bug: bug)
        self.draft = draft
    }

    package init(plan: Plan, mix: FaultMix, seed: UInt64, bug: PlantedBug? = nil) {
        self.plan = plan
        self.mix = mix
        self.bug = bug
        generator = Generator(seed: seed)
        core = Reconciler(plan: bug?.plan(plan) ?? plan, seed: generator.next())
        mapSlots()
    }

    /// Lets the next thing happen. False when nothing will.
    package mutating func step() throws(InvariantBroken) -> Bool {
        events += 1
        let deadline = supervisor == .running && finished == nil ? nextDeadline : nil
        guard let next = heap.first, deadline.map({ next <= $0 }) ?? true else {
            guard let deadline else { return false }
            now = max(now, deadline)
            try deliver(.tick, to: nil)
            return true
        }
        guard let entry = heap.popFirst() else { return false }
        now = max(now, entry.at)
        if generator.chance(perMille: mix[.clockJump]) {
            now = now + generator.duration(milliseconds: 1000...600_000)
        }
        try happen(entry.event)
        return true
    }

    /// Tells the core, and does what it says.
    mutating func deliver(_ input: Input, to slot: Int?, isCurrent: Bool = true) throws(InvariantBroken) {
        inputs += 1
        coverage?.note(input, to: slot, in: slots, isCurrent: isCurrent)
        tell { $0.describe(input) }
        if let bug {
            for rewritten in bug.inputs(for: input, in: self) { core.observe(rewritten, at: now) }
        } else {
            core.observe(input, at: now)
        }
        if case .apply = input { mapSlots() }
        // A number is chosen in a turn of its own making, which is not lost without what was chosen.
        if case .portMoved = input { return try turn(about: nil) }
        try turn(about: slot)
    }

    /// Has the core decide, in slices as the engine does.
    /// - Parameter slot: whom the fact was about. What a person asked for is answered after it was written down, so
    ///   only facts can be forgotten.
    mutating func turn(about slot: Int?) throws(InvariantBroken) {
        // Drawn from what is there, so that it changes nothing of what a seed stands for.
        let limit = inputs.isMultiple(of: 3) ? 1 + inputs % 4 : .max
        repeat {
            guard try slice(about: slot, atMost: limit) else { return }
        } while core.hasMore && finished == nil
        _ = store(core.takeChangedRecords())
        if finished == nil {
            try checkContract()
            try checkLimits()
        }
    }

    /// False: the supervisor was lost over it.
    private mutating func slice(about slot: Int?, atMost limit: Int) throws(InvariantBroken) -> Bool {
        let undecided = bug == .forgetsDecisions ? core : nil
        var effects = core.reconcile(at: now, atMost: limit)
        if let slot, generator.chance(perMille: mix[.crashBeforeRecords]) {
            slots[slot].excuseStart()
            loseSupervisor()
            return false
        }
        // As in the engine: what a stored end covers is stored at the turn's end.
        let isStoredLater = isToBeDown && core.isShuttingDown && effects.allSatisfy(\.belongsToEnd)
        let hasRecords = !isStoredLater && store(core.takeChangedRecords())
        let transitions = core.takeTransitions()
        if let undecided { core = undecided }
        for transition in transitions { try note(transition) }
        if core.isShuttingDown, !isShuttingDown { noteEndOfPrimary() }
        if let bug { effects = bug.effects(for: effects, in: self) }
        if hasRecords || !effects.isEmpty || !transitions.isEmpty { steps += 1 }
        for effect in effects {
            if generator.chance(perMille: mix[.crashBetweenEffects]) || countEffect() {
                loseSupervisor()
                return false
            }
            tell { "    → \($0.describe(effect))" }
            try perform(effect)
        }
        return true
    }

    private mutating func checkContract() throws(InvariantBroken) {
        let again = core.reconcile(at: now)
        guard again.isEmpty else {
            throw InvariantBroken(invariant: .idempotent, detail: again.map(describe).joined(separator: ", "))
        }
        if let deadline = core.nextDeadline, deadline <= now {
            throw InvariantBroken(invariant: .deadlineAhead, detail: "the deadline is \((now - deadline).shown) past")
        }
        // To look at everything takes longer than all else.
        if inputs.isMultiple(of: auditEvery) { try checkNobodyOverlooked() }
    }

    private func checkNobodyOverlooked() throws(InvariantBroken) {
        let (effects, transitions) = core.overlooked(at: now)
        guard effects.isEmpty, transitions.isEmpty else {
            let words = effects.map(describe) + transitions.map { "\(describe($0.instance)) → \($0.to): \($0.cause)" }
            throw InvariantBroken(invariant: .nobodyOverlooked, detail: words.joined(separator: ", "))
        }
        let wrong = core.miscounts
        guard wrong.isEmpty else {
            throw InvariantBroken(invariant: .countsKept, detail: wrong.joined(separator: ", "))
        }
    }

    /// Timers may be late, never early.
    private var nextDeadline: Instant? {
        mutating get {
            guard let deadline = bug == nil ? core.nextDeadline : bug?.deadline(core.nextDeadline) else { return nil }
            guard generator.chance(perMille: mix[.lateTimer]) else { return deadline }
            return deadline + generator.duration(milliseconds: 0...50)
        }
    }

    /// Which is stored, and not for a primary's end.
    var isToBeDown: Bool { isShuttingDown && !endsWithPrimary }

    /// Keeps the records. False when there were none.
    private mutating func store(_ records: [InstanceRecord]) -> Bool {
        for record in records {
            // Few enough to look at one by one, which costs less than to hash a name.
            guard let slot = slots.firstIndex(where: { $0.replica == record.replica && $0.sidecar == record.sidecar })
            else { continue }
            slots[slot].record = bug == nil ? record : bug?.record(record, replacing: slots[slot].record)
        }
        return !records.isEmpty
    }

    /// Adds a line to the trace, when one is kept.
    mutating func tell(_ words: (World) -> String) {
        guard trace != nil else { return }
        let line = "\(clock)  \(words(self))"
        trace?.append(line)
    }

    private var clock: String {
        let milliseconds = now.nanoseconds / 1_000_000
        return "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst())"
    }
}
