package import SidecarModel

/// What is known of one instance from outside: for status, and for whoever waits for it.
package struct InstanceStatus: Hashable, Sendable {
    package var sidecar: String
    package var replica: Int
    package var state: StateName
    package var incarnation: Incarnation
    /// Nil when no process of it runs.
    package var pid: Int32?
    /// When the current process was spawned, or nil.
    package var startedAt: Instant?
    /// When the current state was entered.
    package var since: Instant
    package var restartsTotal: Int
    package var consecutiveFailures: Int
    package var lastExit: ExitStatus?
    /// Why it is in this state, as a sentence.
    package var reason: String
    /// `waiting` and `blocked`: the sidecars it waits for. `stopping`: those that leave before it is told to.
    package var waitingFor: [String]
    /// `stopping`: how far that is.
    package var stop: StopProgress?
    /// `backoff`: when it will be started.
    package var until: Instant?
    /// Declared and wanted up by the last request.
    package var isWanted: Bool
    /// Last result of readiness (or of startup, before), nil without a probe or before the first result.
    package var lastProbe: ProbeOutcome?
    package var lastProbeAt: Instant?
    /// Foreign or unverified answers make a healthy state carry a mark.
    package var isUnverified: Bool
    /// False: it is on its way out.
    package var isDeclared: Bool
    /// It lives as it was, and its replacement is to come.
    package var isRestartPending: Bool
    /// The same, once what failed before its turn is well again.
    package var isRestartHalted: Bool
    /// As it is declared now.
    package var kind: SidecarSpec.Kind
}

/// How far the end of a life is that was asked for.
package enum StopProgress: Hashable, Sendable {
    /// Others leave first.
    case queued
    /// Its start was under way, and comes to its own end first.
    case endingStart
    /// `pre_stop` runs, and the signal follows then at the latest.
    case preStop(next: Signal, at: Instant)
    /// The one was sent, and the other follows then if it is not gone.
    case signalled(Signal, next: Signal, at: Instant)
    /// The leader is gone. What it left behind gets SIGKILL then.
    case clearing(killAt: Instant)
    case killed
    /// SIGKILL did not end it.
    case stuck
}

/// What the store keeps of an instance, and what `Reconciler.restore` takes it up from.
///
/// Written whenever `Reconciler.takeChangedRecords()` names it, before the effects of the same turn are performed; but see
/// `Effect.belongsToEnd`.
package struct InstanceRecord: Hashable, Codable, Sendable {
    package var sidecar: String
    package var replica: Int
    package var state: StateName
    package var incarnation: UInt64
    package var isWanted: Bool
    package var since: Instant
    package var startedAt: Instant?
    package var restartsTotal: Int
    package var consecutiveFailures: Int
    package var lastExit: ExitStatus?
    package var reason: String
    /// `backoff`, `failed`: when it is tried again.
    package var until: Instant?
    /// The fingerprint of the spec it was last started with.
    package var startedFingerprint: UInt64
    /// When it last became healthy, for `reset_after`.
    package var healthySince: Instant?
    package var recentRestarts: [Instant]
    /// How its life comes, or came, to an end without being asked to: `stopping` for that reason, and `failed`. And for
    /// `waiting` and `blocked`: the success of a task that waits to run only because its declaration changed.
    package var end: End?
    /// It is to be replaced as soon as the order allows, and who asked for that.
    package var pendingRestart: Initiator?
    /// Addresses of others that it was started with are no longer theirs.
    package var holdsDeadAddresses: Bool
    /// It is to be replaced once what failed before its turn is well again.
    package var isRestartHalted: Bool
    /// Its next start is the restart of what is to run all along.
    package var isRestart: Bool
    /// Who asked for what is under way: a start, a stop or a restart. Nil: not on record.
    package var initiator: Initiator?

    package init(
        sidecar: String, replica: Int, state: StateName, incarnation: UInt64, isWanted: Bool, since: Instant,
        startedAt: Instant? = nil, restartsTotal: Int = 0, consecutiveFailures: Int = 0, lastExit: ExitStatus? = nil,
        reason: String = "", until: Instant? = nil, startedFingerprint: UInt64 = 0, healthySince: Instant? = nil,
        recentRestarts: [Instant] = [], end: End? = nil, pendingRestart: Initiator? = nil,
        holdsDeadAddresses: Bool = false, isRestartHalted: Bool = false, isRestart: Bool = false,
        initiator: Initiator? = nil
    ) {
        self.sidecar = sidecar
        self.replica = replica
        self.state = state
        self.incarnation = incarnation
        self.isWanted = isWanted
        self.since = since
        self.startedAt = startedAt
        self.restartsTotal = restartsTotal
        self.consecutiveFailures = consecutiveFailures
        self.lastExit = lastExit
        self.reason = reason
        self.until = until
        self.startedFingerprint = startedFingerprint
        self.healthySince = healthySince
        self.recentRestarts = recentRestarts
        self.end = end
        self.pendingRestart = pendingRestart
        self.holdsDeadAddresses = holdsDeadAddresses
        self.isRestartHalted = isRestartHalted
        self.isRestart = isRestart
        self.initiator = initiator
    }
}

/// What became of the process of a recorded incarnation while no supervisor looked.
package enum Survival: Hashable, Sendable {
    /// It lives, proved by (pid, start time, boot). Without a pid: it is open to clients.
    case alive(pid: Int32?)
    /// The leader ended; others of the incarnation may live.
    case exited(ExitStatus)
    /// There is no trace of a spawn for it.
    case neverSpawned
}
