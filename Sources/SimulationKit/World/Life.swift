import Reconciliation
import SidecarModel

/// A place in `World.lives`.
typealias LifeID = Int

/// One incarnation as it truly is, beside what the core was told of it and what the core did to it.
struct Life {
    /// The place of its instance in `World.slots`.
    let slot: Int
    let incarnation: Incarnation
    let pid: Int32
    /// Of its slot, when it began: an instance that was retired and declared again is another one.
    let epoch: Int
    /// Of the spec it was started with.
    let fingerprint: UInt64
    let begun: Instant
    var nature: Nature
    /// What its stop was granted, at least.
    var grace: Duration
    /// What its stop may last, at most.
    var longestStop: Duration

    // The truth.
    var wasSpawned = false
    var spawnedAt = Instant(nanoseconds: 0)
    var spawnFailure: SpawnStep?
    var leaderIsAlive = false
    var children = 0
    var exit = ExitStatus.unknown
    /// The keeper that would have kept its status is gone.
    var statusIsLost = false

    // What the core was told.
    var wasToldSpawned = false
    var wasToldExited = false
    var wasToldEmptied = false
    var wasToldStuck = false
    var health = ToldHealth()

    // What the core did.
    var preStart = HookProgress.none
    /// When the first step of its stop was taken.
    var stopBegan: Instant?
    var clearedAt: Instant?
    var killedAt: Instant?
    var isReleased = false
    /// By then it is told SIGKILL; nil where nothing limits it.
    var killedBy: Instant?
    var limits: Limits
    /// By `ProbeRole.allCases`: when it was last probed.
    var probedAt = [Instant?](repeating: nil, count: ProbeRole.allCases.count)
    /// By `ProbeRole.allCases`: a run the core asked for succeeded.
    var hasAnswered = [Bool](repeating: false, count: ProbeRole.allCases.count)
    /// The supervisor that released it.
    var releasedBy = -1

    // What is on its way to the core.
    /// `emptied` is to be said as soon as it is true.
    var owesEmptied = false
    /// Facts of one life arrive in the order they happened.
    var lastFactAt = Instant(nanoseconds: 0)
    /// By `ProbeRole`: is a run under way, and how often were the runs called off.
    var probesUnderWay: (startup: Bool, readiness: Bool, liveness: Bool) = (false, false, false)
    var probeGeneration = 0

    var isEmpty: Bool { !leaderIsAlive && children == 0 }
    /// The core may take it for running: told of its start, and of no end.
    var runsAsTold: Bool { wasToldSpawned && !wasToldExited }

    mutating func callOffProbes() {
        probesUnderWay = (false, false, false)
        probeGeneration += 1
    }

    /// Another supervisor begins anew with what it finds.
    mutating func forgetLimits() {
        killedBy = nil
        probedAt = probedAt.map { _ in nil }
        hasAnswered = hasAnswered.map { _ in false }
    }

    subscript(underWay role: ProbeRole) -> Bool {
        get {
            switch role {
            case .startup: probesUnderWay.startup
            case .readiness: probesUnderWay.readiness
            case .liveness: probesUnderWay.liveness
            }
        }
        set {
            switch role {
            case .startup: probesUnderWay.startup = newValue
            case .readiness: probesUnderWay.readiness = newValue
            case .liveness: probesUnderWay.liveness = newValue
            }
        }
    }
}

/// By when a life is no longer starting, and runs no longer: counted from when it began and was spawned, or was taken up.
struct Limits {
    private(set) var startTimeout: Duration
    private(set) var runTimeout: Duration?
    /// What healthy without a readiness probe takes.
    private(set) var settle: Duration
    var startsFrom: Instant
    var runsFrom: Instant?
    /// It asked for more time.
    var extendedTo: Instant?

    init(_ rules: Rules, from begun: Instant) {
        (startTimeout, runTimeout, settle) = (rules.startTimeout, rules.runTimeout, rules.settle)
        startsFrom = begun
    }

    /// They are those of another declaration from now on. What has settled has.
    mutating func change(to rules: Rules, in state: StateName) {
        (startTimeout, runTimeout) = (rules.startTimeout, rules.runTimeout)
        if state == .starting { settle = rules.settle }
    }

    var startsBy: Instant? {
        guard startTimeout > .zero else { return nil }
        return max(startsFrom + startTimeout, extendedTo ?? startsFrom)
    }

    var runsBy: Instant? { runsFrom.flatMap { from in runTimeout.map { from + $0 } } }
}

enum HookProgress { case none, running, succeeded, failed }

/// What the probe results the core was told add up to, counted apart from the core and in its favour: a success always
/// counts, a failure only when it answers a run the core asked for.
struct ToldHealth {
    private(set) var startupSuccesses = 0
    private(set) var hasStarted = false
    private(set) var readinessSuccesses = 0
    private(set) var readinessFailures = 0
    private(set) var livenessFailures = 0
    private var isReady = false
    /// The probes were changed during this life.
    var holdsAnyway = false

    mutating func note(_ answer: ProbeAnswer, _ role: ProbeRole, wasAskedFor: Bool, thresholds: Rules.Thresholds) {
        let succeeded = answer.isSuccess
        switch role {
        case .startup:
            if succeeded { startupSuccesses += 1 } else if wasAskedFor { startupSuccesses = 0 }
            if startupSuccesses >= thresholds.startupSuccess { hasStarted = true }
        case .readiness:
            if succeeded {
                readinessSuccesses += 1
                readinessFailures = 0
                if readinessSuccesses >= thresholds.readinessSuccess { isReady = true }
            } else if wasAskedFor {
                readinessSuccesses = 0
                readinessFailures += 1
                // Failures before the first success don't count, so they can't be what ends readiness either.
                if readinessFailures >= thresholds.readinessFailure { isReady = false }
            }
        case .liveness: if !succeeded { livenessFailures += 1 } else if wasAskedFor { livenessFailures = 0 }
        }
    }

    /// A new supervisor counts anew; it keeps what had become a state.
    mutating func forgetCounts(in state: StateName) {
        startupSuccesses = 0
        readinessSuccesses = 0
        readinessFailures = 0
        hasStarted = state != .starting
        isReady = state == .healthy
    }

    func isHealthy(_ rules: Rules, age: Duration, settled settle: Duration) -> Bool {
        if holdsAnyway { return true }
        if rules.hasStartup, !hasStarted { return false }
        if rules.hasReadiness { return isReady }
        return rules.hasStartup || age >= settle
    }
}

/// The kinds of answers a probe gives, without their words.
package enum ProbeAnswer: Int, CaseIterable, Sendable {
    case success, unverified, foreign, failure, timeout

    var isSuccess: Bool { self == .success || self == .unverified }

    var outcome: ProbeOutcome {
        switch self {
        case .success: .success
        case .unverified: .unverified
        case .foreign: .foreign(owner: "pid 7 (other)")
        case .failure: .failure("refused")
        case .timeout: .timeout
        }
    }
}

extension ProbeRole {
    var place: Int {
        switch self {
        case .startup: 0
        case .readiness: 1
        case .liveness: 2
        }
    }
}
