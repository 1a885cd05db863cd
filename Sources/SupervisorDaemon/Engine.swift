import ControlAPI
import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

/// Runs the core on the loop: folds in what arrives during a turn, and at its end stores what was decided, says it, and
/// has it done. Confined to the loop's thread.
final class Engine {
    private(set) var reconciler: Reconciler
    private let loop: EventLoop
    private let journal: Journal
    /// Carries one effect out; may observe at once.
    private let perform: (Effect) -> Void
    /// Hands over what was gathered by the effects of a turn (sweeps, spawns).
    private let flush: () -> Void
    private let announce: ([Announcement]) -> Void
    /// All that could be decided in this turn is.
    private let atRest: () -> Void
    /// Effects done before more is decided: the first of a thousand processes starts while the rest is thought about.
    private static let slice = 64
    private static let firstSlice = 8
    let goodRuns: GoodRuns
    private var hasInput = true
    private var isTurning = false
    private var wake: (timer: EventLoop.TimerID, at: Instant)?
    private var nudge: EventLoop.TimerID?

    /// A transition with the number the journal gave it.
    struct Announcement {
        var sequence: UInt64
        var transition: Transition
        var name: InstanceName
        /// What people call it.
        var shown: String
    }

    init(
        reconciler: Reconciler, loop: EventLoop, journal: Journal, perform: @escaping (Effect) -> Void,
        flush: @escaping () -> Void, announce: @escaping ([Announcement]) -> Void,
        atRest: @escaping () -> Void
    ) {
        self.reconciler = reconciler
        self.loop = loop
        self.journal = journal
        self.perform = perform
        self.flush = flush
        self.announce = announce
        self.atRest = atRest
        goodRuns = GoodRuns(loop: loop, journal: journal)
        loop.onTurnEnd { [unowned self] in turn() }
    }

    func observe(_ input: Input) {
        reconciler.observe(input, at: loop.now)
        hasInput = true
        // The turn's end takes it up; the nudge is for what comes after this one's.
        if !isTurning, nudge == nil { nudge = loop.schedule(at: loop.now) {} }
    }

    /// Before the loop runs: what became of the processes of an earlier supervisor.
    func restore(_ records: [(InstanceRecord, Survival)]) {
        reconciler.restore(records, at: loop.now)
        hasInput = true
    }

    private func turn() {
        guard hasInput || wake.map({ $0.at <= loop.now }) ?? false else { return }
        if let nudge { loop.cancel(nudge) }
        nudge = nil
        isTurning = true
        var slice = Self.firstSlice
        repeat {
            hasInput = false
            let effects = reconciler.reconcile(at: loop.now, atMost: slice)
            slice = Self.slice
            if !isEnding || !effects.allSatisfy(\.belongsToEnd) { record(effects) }
            for effect in effects { perform(effect) }
            flush()
        } while hasInput || reconciler.hasMore
        if isEnding { record([]) }
        isTurning = false
        atRest()
        arm()
    }

    /// What tells the ends to come from crashes is stored: a thousand need not wait until the rest is written.
    private var isEnding: Bool { journal.hasEnd && reconciler.isShuttingDown }

    /// Stored before anything is done: an incarnation is known before its process can exist. Only what belongs to a stored
    /// end is stored at the end of the turn.
    private func record(_ effects: [Effect]) {
        var entry = Journal.Turn()
        entry.records = reconciler.takeChangedRecords()
        let transitions = reconciler.takeTransitions()
        var announcements: [Announcement] = []
        let clock = WallClock()
        let first = journal.sequence
        for transition in transitions {
            guard let name = name(of: transition.instance) else { continue }
            announcements.append(
                Announcement(
                    sequence: UInt64(first) + UInt64(announcements.count) + 1, transition: transition, name: name,
                    shown: name.shown(asOneOfSeveral: known[transition.instance.value]?.isOneOfSeveral ?? false)))
            entry.transitions.append(TransitionRow(transition, of: name, clock: clock))
            // Well for another reason than before is no news of how it runs.
            if Self.isGood(transition.to), transition.from != transition.to,
                let spec = reconciler.spec(of: transition.instance)
            {
                goodRuns.note(transition, of: name.sidecar, spec, clock: clock)
            }
        }
        // Before there can be a report of its end.
        if transitions.contains(where: { Self.isGood($0.from) }) { entry.goodRuns = goodRuns.take() }
        for case .retire(let index) in effects {
            if let name = known[index.value]?.name { entry.retired.append(name) }
        }
        journal.commit(entry, clock: clock)
        if !announcements.isEmpty { announce(announcements) }
    }

    private static func isGood(_ state: StateName) -> Bool { state == .healthy || state == .completed }

    private var known: [Int: (name: InstanceName, isOneOfSeveral: Bool)] = [:]

    /// Remembered, because a retired instance can't be asked any more.
    func name(of index: InstanceIndex) -> InstanceName? {
        if let (sidecar, replica) = reconciler.name(of: index) {
            let name = InstanceName(sidecar: sidecar, replica: replica)
            known[index.value] = (name, reconciler.isOneOfSeveral(index))
            return name
        }
        return known[index.value]?.name
    }

    private func arm() {
        let next = reconciler.nextDeadline
        guard next != wake?.at else { return }
        if let wake { loop.cancel(wake.timer) }
        wake = next.map { deadline in
            (
                loop.schedule(at: deadline) { [unowned self] in
                    wake = nil
                    hasInput = true
                }, deadline
            )
        }
    }
}

extension TransitionRow {
    init(_ transition: Transition, of name: InstanceName, clock: WallClock) {
        self.init(
            atWall: clock.timestamp(transition.at).microseconds, atBoot: transition.at, sidecar: name.sidecar,
            replica: name.replica, incarnation: transition.incarnation.number, from: transition.from,
            to: transition.to, initiator: transition.initiator, cause: transition.cause, causedBy: transition.causedBy)
    }
}
