import StateStore

/// What could not be written into the store, to be written as soon as that works again: of each thing its latest state.
struct JournalDebt {
    /// Transitions are history: of a long time without a disk the newest are enough.
    static let mostTransitions = 4096

    private struct Key: Hashable {
        var sidecar: String
        var replica: Int
    }

    private var project: ProjectRow?
    /// Nil: the store has the right one. Inside: there is to be none.
    private var lease: LeaseRow??
    private var forgetsEnded = false
    private var forgetsPorts = false
    private var ended: [InstanceName] = []
    private var retired: [InstanceName] = []
    private var ports: [Key: [PortRow]] = [:]
    private var instances: [Key: InstanceRow] = [:]
    private var transitions: [TransitionRow] = []
    private var goodRuns: [String: GoodRunRow] = [:]
    private(set) var isEmpty = true

    /// Nil: what the store says of it is right.
    var isProjectWanted: Bool? { project?.isWanted }

    mutating func add(_ project: ProjectRow) {
        isEmpty = false
        self.project = project
    }

    mutating func add(_ lease: LeaseRow?) {
        isEmpty = false
        self.lease = .some(lease)
    }

    mutating func add(
        _ rows: [InstanceRow], _ transitions: [TransitionRow], retired names: [InstanceName], _ runs: [GoodRunRow]
    ) {
        isEmpty = false
        for row in rows { instances[Key(sidecar: row.sidecar, replica: row.replica)] = row }
        self.transitions += transitions
        // Cut now and then, and not with every turn.
        if self.transitions.count > 2 * Self.mostTransitions {
            self.transitions.removeFirst(self.transitions.count - Self.mostTransitions)
        }
        for name in names {
            instances[Key(sidecar: name.sidecar, replica: name.replica)] = nil
            ports[Key(sidecar: name.sidecar, replica: name.replica)] = nil
        }
        retired += names
        for run in runs { goodRuns[run.sidecar] = run }
    }

    mutating func add(_ rows: [PortRow], of instance: InstanceName) {
        isEmpty = false
        var known = ports[Key(sidecar: instance.sidecar, replica: instance.replica)] ?? []
        known.removeAll { old in rows.contains { $0.name == old.name } }
        ports[Key(sidecar: instance.sidecar, replica: instance.replica)] = known + rows
    }

    mutating func end(_ names: [InstanceName]) {
        isEmpty = false
        // They are written as they were last, and are over.
        ended += names
        lease = .some(nil)
    }

    mutating func forgetEnded() {
        isEmpty = false
        // Of what ended meanwhile the store is to know nothing.
        for name in ended { instances[Key(sidecar: name.sidecar, replica: name.replica)] = nil }
        retired += ended
        ended = []
        forgetsEnded = true
    }

    mutating func forgetPorts() {
        isEmpty = false
        ports = [:]
        forgetsPorts = true
    }

    /// Within one commit. Answers the number of the last transition where there were some.
    func pay(into store: StateStore) throws(StoreError) -> Int64? {
        if forgetsEnded { try store.removeEndedInstances() }
        if forgetsPorts { try store.removePorts() }
        if let project { try store.save(project) }
        if case .some(let lease) = lease { try store.save(lease) }
        for name in retired {
            try store.removeInstance(sidecar: name.sidecar, replica: name.replica)
            try store.removePorts(sidecar: name.sidecar, replica: name.replica)
        }
        for row in instances.values { try store.save(row) }
        for name in ended { try store.endInstance(sidecar: name.sidecar, replica: name.replica) }
        for row in ports.values.joined() { try store.save(row) }
        var last: Int64?
        for transition in transitions.suffix(Self.mostTransitions) { last = try store.append(transition) }
        for run in goodRuns.values { try store.save(run) }
        return last
    }
}
