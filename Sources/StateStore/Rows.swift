package import SidecarModel

/// The project as its supervisor left it.
package struct ProjectRow: Hashable, Sendable {
    package var identity: String
    package var name: String
    package var manifest: String
    package var directory: String
    /// The client's that brought it up.
    package var workingDirectory: String
    /// The resolved plan, encoded by its owner.
    package var plan: [UInt8]
    /// The environment of the `up` that started it.
    package var environment: [String: String]
    package var umask: UInt32
    /// The same `up`'s, each with both sides. Empty: it was one that did not say.
    package var limits: [LimitSpec]
    /// Of the reconciler's generator.
    package var seed: UInt64
    package var isDetached: Bool
    /// False from the moment it was asked down.
    package var isWanted: Bool
    /// The boot its instants belong to.
    package var bootID: String

    package init(
        identity: String, name: String, manifest: String, directory: String, workingDirectory: String, plan: [UInt8],
        environment: [String: String], umask: UInt32, limits: [LimitSpec], seed: UInt64, isDetached: Bool,
        isWanted: Bool, bootID: String
    ) {
        self.identity = identity
        self.name = name
        self.manifest = manifest
        self.directory = directory
        self.workingDirectory = workingDirectory
        self.plan = plan
        self.environment = environment
        self.umask = umask
        self.limits = limits
        self.seed = seed
        self.isDetached = isDetached
        self.isWanted = isWanted
        self.bootID = bootID
    }
}

/// What is kept of an instance.
package struct InstanceRow: Hashable, Sendable {
    package var sidecar: String
    package var replica: Int
    package var state: StateName
    package var incarnation: UInt64
    package var isWanted: Bool
    package var since: Instant
    /// The same on the wall clock, in microseconds since 1970: for people, and for another boot.
    package var sinceWall: Int64
    package var startedAt: Instant?
    package var restartsTotal: Int
    package var consecutiveFailures: Int
    package var lastExit: ExitStatus?
    package var reason: String
    package var until: Instant?
    package var startedFingerprint: UInt64
    package var healthySince: Instant?
    package var recentRestarts: [Instant]
    /// How its life comes to its end without being asked to, encoded by its owner.
    package var ending: String?
    package var pendingRestart: Initiator?
    package var holdsDeadAddresses: Bool
    package var isRestartHalted: Bool
    /// Its next start is a restart.
    package var isRestart: Bool
    /// Who asked for what is under way.
    package var initiator: Initiator?

    package init(
        sidecar: String, replica: Int, state: StateName, incarnation: UInt64, isWanted: Bool, since: Instant,
        sinceWall: Int64, startedAt: Instant? = nil, restartsTotal: Int = 0, consecutiveFailures: Int = 0,
        lastExit: ExitStatus? = nil, reason: String = "", until: Instant? = nil, startedFingerprint: UInt64 = 0,
        healthySince: Instant? = nil, recentRestarts: [Instant] = [], ending: String? = nil,
        pendingRestart: Initiator? = nil, holdsDeadAddresses: Bool = false,
        isRestartHalted: Bool = false, isRestart: Bool = false, initiator: Initiator? = nil
    ) {
        self.sidecar = sidecar
        self.replica = replica
        self.state = state
        self.incarnation = incarnation
        self.isWanted = isWanted
        self.since = since
        self.sinceWall = sinceWall
        self.startedAt = startedAt
        self.restartsTotal = restartsTotal
        self.consecutiveFailures = consecutiveFailures
        self.lastExit = lastExit
        self.reason = reason
        self.until = until
        self.startedFingerprint = startedFingerprint
        self.healthySince = healthySince
        self.recentRestarts = recentRestarts
        self.ending = ending
        self.pendingRestart = pendingRestart
        self.holdsDeadAddresses = holdsDeadAddresses
        self.isRestartHalted = isRestartHalted
        self.isRestart = isRestart
        self.initiator = initiator
    }
}

/// An entry of the journal.
package struct TransitionRow: Hashable, Sendable {
    /// Given by the store, rising. 0 before it is stored.
    package var id: Int64
    /// Microseconds since 1970.
    package var atWall: Int64
    package var atBoot: Instant
    package var sidecar: String
    package var replica: Int
    package var incarnation: UInt64
    package var from: StateName
    package var to: StateName
    package var initiator: Initiator
    package var cause: String
    package var causedBy: String?

    package init(
        id: Int64 = 0, atWall: Int64, atBoot: Instant, sidecar: String, replica: Int, incarnation: UInt64,
        from: StateName, to: StateName, initiator: Initiator, cause: String, causedBy: String? = nil
    ) {
        self.id = id
        self.atWall = atWall
        self.atBoot = atBoot
        self.sidecar = sidecar
        self.replica = replica
        self.incarnation = incarnation
        self.from = from
        self.to = to
        self.initiator = initiator
        self.cause = cause
        self.causedBy = causedBy
    }
}

/// A port an instance was given, to be given again.
package struct PortRow: Hashable, Sendable {
    package var sidecar: String
    package var replica: Int
    package var name: String
    package var number: UInt16

    package init(sidecar: String, replica: Int, name: String, number: UInt16) {
        self.sidecar = sidecar
        self.replica = replica
        self.name = name
        self.number = number
    }
}

/// The client the project's life hangs on.
package struct LeaseRow: Hashable, Sendable {
    package var token: String
    package var pid: Int32
    package var startTime: UInt64
    package var bootID: String
    /// Microseconds since 1970.
    package var takenAt: Int64

    package init(token: String, pid: Int32, startTime: UInt64, bootID: String, takenAt: Int64) {
        self.token = token
        self.pid = pid
        self.startTime = startTime
        self.bootID = bootID
        self.takenAt = takenAt
    }
}
