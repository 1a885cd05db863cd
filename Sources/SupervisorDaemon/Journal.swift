import ControlAPI
import FoundationEssentials
import Reconciliation
import SidecarModel
import StateStore
import Supervision

/// What the engine keeps in the store: one commit for each turn that changed something.
final class Journal {
    private let store: StateStore
    private let checkpoints: Checkpoints
    private(set) var sequence: Int64
    /// No other life of the project may ever have the same as one there was.
    private var lastIncarnation: UInt64
    /// What the store knows of it: less, where it could not be written.
    private var savedIncarnation: UInt64
    /// What the store says of whether the project is to be up. Nil: it does not have the project as it is.
    private var isWanted: Bool?
    /// Why the last write failed, until one works again.
    private(set) var failure: String?
    private var debt = JournalDebt()
    private let loop: EventLoop?
    private var retry: EventLoop.TimerID?

    /// - Parameter loop: where what could not be written is tried again; without one it is with the next write.
    init(store: StateStore, loop: EventLoop? = nil) throws(StoreError) {
        self.store = store
        self.loop = loop
        checkpoints = Checkpoints(path: store.path)
        sequence = try store.lastTransition()
        lastIncarnation = try store.lastIncarnation()
        savedIncarnation = lastIncarnation
    }

    deinit { checkpoints.finish() }

    struct Turn {
        var records: [InstanceRecord] = []
        var transitions: [TransitionRow] = []
        var retired: [InstanceName] = []
        var goodRuns: [GoodRunRow] = []

        var lastIncarnation: UInt64 {
            records.reduce(transitions.reduce(0) { max($0, $1.incarnation) }) { max($0, $1.incarnation) }
        }

        var isEmpty: Bool { records.isEmpty && transitions.isEmpty && retired.isEmpty && goodRuns.isEmpty }
    }

    /// A journal that can't be written is said, and supervision goes on: what runs is more than what is known of it.
    func commit(_ turn: Turn, clock: WallClock) {
        guard !turn.isEmpty else { return }
        lastIncarnation = max(lastIncarnation, turn.lastIncarnation)
        let rows = turn.records.map { InstanceRow($0, clock: clock) }
        attempt { () throws(StoreError) in
            try store.commit { () throws(StoreError) in
                if lastIncarnation > savedIncarnation { try store.save(lastIncarnation: lastIncarnation) }
                for row in rows { try store.save(row) }
                for transition in turn.transitions { sequence = try store.append(transition) }
                for run in turn.goodRuns { try store.save(run) }
                for name in turn.retired {
                    try store.removeInstance(sidecar: name.sidecar, replica: name.replica)
                    try store.removePorts(sidecar: name.sidecar, replica: name.replica)
                }
            }
            savedIncarnation = lastIncarnation
        } otherwise: {
            $0.add(rows, turn.transitions, retired: turn.retired, turn.goodRuns)
        }
    }

    func save(_ project: ProjectRow) {
        let isSaved = attempt { () throws(StoreError) in
            try store.save(project)
        } otherwise: {
            $0.add(project)
        }
        isWanted = isSaved ? project.isWanted : nil
    }

    /// The project as it was found in the store.
    func takeUp(_ project: ProjectRow) { isWanted = project.isWanted }

    /// The project is to be down. False: the store does not have it as it is, and it is to be saved whole.
    func saveEnd() -> Bool {
        // What is owed otherwise is the project as a whole, by who asks.
        guard isWanted != nil, attempt({ () throws(StoreError) in try store.saveEnd() }, otherwise: { _ in }) else {
            return false
        }
        isWanted = false
        return true
    }

    /// It is known for good that the project is to be down.
    var hasEnd: Bool { isWanted == false }

    func save(_ lease: LeaseRow?) {
        attempt { () throws(StoreError) in
            try store.save(lease)
        } otherwise: {
            $0.add(lease)
        }
    }

    func save(_ ports: [(name: String, number: UInt16)], of instance: InstanceName) {
        guard !ports.isEmpty else { return }
        let rows = ports.map {
            PortRow(sidecar: instance.sidecar, replica: instance.replica, name: $0.name, number: $0.number)
        }
        attempt { () throws(StoreError) in
            try store.commit { () throws(StoreError) in for row in rows { try store.save(row) } }
        } otherwise: {
            $0.add(rows, of: instance)
        }
    }

    /// The project is down: nobody takes up what it was doing; ports and journal stay.
    func endInstances(_ names: [InstanceName]) {
        attempt { () throws(StoreError) in
            try store.commit { () throws(StoreError) in
                for name in names { try store.endInstance(sidecar: name.sidecar, replica: name.replica) }
                try store.save(nil as LeaseRow?)
            }
        } otherwise: {
            $0.end(names)
        }
    }

    /// What there was of an earlier life.
    func forgetEnded() {
        attempt { () throws(StoreError) in
            try store.removeEndedInstances()
        } otherwise: {
            $0.forgetEnded()
        }
    }

    func forgetPorts() {
        attempt { () throws(StoreError) in
            try store.removePorts()
        } otherwise: {
            $0.forgetPorts()
        }
    }

    /// True when it was done, and all that was owed before.
    @discardableResult
    private func attempt(
        _ body: () throws(StoreError) -> Void, otherwise owe: (inout JournalDebt) -> Void
    ) -> Bool {
        var last = sequence
        do throws(StoreError) {
            try pay()
            last = sequence
            try body()
            failure = nil
            checkpoints.note(store.pagesInLog)
            return true
        } catch {
            // What was rolled back has no number.
            sequence = last
            failure = "\(error)"
            owe(&debt)
            payLater()
            return false
        }
    }

    private func pay() throws(StoreError) {
        guard !debt.isEmpty else { return }
        var last: Int64?
        try store.commit { () throws(StoreError) in
            if lastIncarnation > savedIncarnation { try store.save(lastIncarnation: lastIncarnation) }
            last = try debt.pay(into: store)
        }
        savedIncarnation = lastIncarnation
        if let last { sequence = last }
        if let wanted = debt.isProjectWanted { isWanted = wanted }
        debt = JournalDebt()
    }

    private func payLater() {
        guard retry == nil, let loop else { return }
        retry = loop.schedule(at: loop.now + .seconds(1)) { [weak self] in
            self?.retry = nil
            self?.attempt({ () throws(StoreError) in }, otherwise: { _ in })
        }
    }
}

extension InstanceRow {
    init(_ record: InstanceRecord, clock: WallClock) {
        self.init(
            sidecar: record.sidecar, replica: record.replica, state: record.state, incarnation: record.incarnation,
            isWanted: record.isWanted, since: record.since, sinceWall: clock.timestamp(record.since).microseconds,
            startedAt: record.startedAt, restartsTotal: record.restartsTotal,
            consecutiveFailures: record.consecutiveFailures, lastExit: record.lastExit, reason: record.reason,
            until: record.until, startedFingerprint: record.startedFingerprint, healthySince: record.healthySince,
            recentRestarts: record.recentRestarts, ending: record.end.flatMap(Self.text),
            pendingRestart: record.pendingRestart, holdsDeadAddresses: record.holdsDeadAddresses,
            isRestartHalted: record.isRestartHalted, isRestart: record.isRestart, initiator: record.initiator)
    }

    var record: InstanceRecord {
        InstanceRecord(
            sidecar: sidecar, replica: replica, state: state, incarnation: incarnation, isWanted: isWanted,
            since: since, startedAt: startedAt, restartsTotal: restartsTotal, consecutiveFailures: consecutiveFailures,
            lastExit: lastExit, reason: reason, until: until, startedFingerprint: startedFingerprint,
            healthySince: healthySince, recentRestarts: recentRestarts, end: ending.flatMap(Self.end),
            pendingRestart: pendingRestart, holdsDeadAddresses: holdsDeadAddresses,
            isRestartHalted: isRestartHalted, isRestart: isRestart, initiator: initiator)
    }

    private static func text(_ end: End) -> String? {
        (try? JSONEncoder().encode(end)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Nil for what another version of the program wrote.
    private static func end(_ text: String) -> End? {
        try? JSONDecoder().decode(End.self, from: Data(text.utf8))
    }
}
