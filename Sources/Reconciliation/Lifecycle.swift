import SidecarModel

/// Where an instance is. Each case holds only what is true then; groups are places in `Reconciler.groups`.
enum Phase: Sendable {
    case stopped
    /// Wanted up, and not yet allowed: by the groups named, or, when none is, by a cap or an apply under way.
    case waiting(for: [Int])
    /// Wanted up, and the groups named will not come by themselves.
    case blocked(by: [Int])
    case backoff(until: Instant)
    case failed(End, retryAt: Instant?)
    case completed
    case starting(Run, StartStep)
    case healthy(Run)
    case unhealthy(Run)
    case stopping(Run, Stop)

    var name: StateName {
        switch self {
        case .stopped: .stopped
        case .waiting: .waiting
        case .blocked: .blocked
        case .backoff: .backoff
        case .failed: .failed
        case .completed: .completed
        case .starting: .starting
        case .healthy: .healthy
        case .unhealthy: .unhealthy
        case .stopping: .stopping
        }
    }

    /// The life under way. Setting it keeps the case.
    var run: Run? {
        get {
            switch self {
            case .starting(let run, _), .healthy(let run), .unhealthy(let run), .stopping(let run, _): run
            case .stopped, .waiting, .blocked, .backoff, .failed, .completed: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .starting(_, let step): self = .starting(newValue, step)
            case .healthy: self = .healthy(newValue)
            case .unhealthy: self = .unhealthy(newValue)
            case .stopping(_, let stop): self = .stopping(newValue, stop)
            case .stopped, .waiting, .blocked, .backoff, .failed, .completed: break
            }
        }
    }

    /// When something is to be looked at again if nothing happens.
    var deadline: Instant? {
        switch self {
        case .stopped, .waiting, .blocked, .completed: nil
        case .backoff(let until): until
        case .failed(_, let retryAt): retryAt
        case .starting(let run, .running):
            earliest([run.startDeadline, run.settleDeadline, run.runDeadline, run.nextProbe])
        case .starting(let run, _): run.startDeadline
        case .healthy(let run), .unhealthy(let run): earliest([run.runDeadline, run.nextProbe])
        case .stopping(_, let stop): stop.deadline
        }
    }
}

/// One life: from the decision to start to the proof that nothing of it is left.
struct Run: Sendable {
    /// Nil before the spawn, after the exit, for an external sidecar, and for one that runs a process for each client.
    var pid: Int32?
    var startedAt: Instant
    /// When its start was decided, as far as that is known: its spawn may be later.
    let begunAt: Instant
    private(set) var startDeadline: Instant?
    /// It asked for more time to start.
    private var startExtendedTo: Instant?
    /// Without readiness: healthy when still alive then.
    private(set) var settleAt: Instant?
    private var settlesFrom: Instant?
    private(set) var runDeadline: Instant?
    var startup: ProbeCounter?
    var readiness: ProbeCounter?
    var liveness: ProbeCounter?
    var lastProbe: ProbeOutcome?
    var lastProbeAt: Instant?
    var wasSpawned = false
    /// Why it was started, whatever is said while it gets ready.
    var startCause = ""

    init(startedAt: Instant) {
        self.startedAt = startedAt
        begunAt = startedAt
    }

    /// Zero: without limit.
    mutating func limitStart(to timeout: Duration) {
        startDeadline = timeout > .zero ? begunAt + timeout : nil
        if let startDeadline, let startExtendedTo { self.startDeadline = max(startDeadline, startExtendedTo) }
    }

    mutating func extendStart(to instant: Instant) {
        startExtendedTo = max(startExtendedTo ?? instant, instant)
        if let startDeadline { self.startDeadline = max(startDeadline, instant) }
    }

    mutating func settle(from instant: Instant, for duration: Duration) {
        settlesFrom = instant
        settleAt = instant + duration
    }

    /// It settles for another time than it was to.
    mutating func settle(for duration: Duration) { settleAt = settlesFrom.map { $0 + duration } }

    /// It is healthy.
    mutating func endStart() { (startDeadline, settleAt, settlesFrom) = (nil, nil, nil) }

    /// Counts from the spawn.
    mutating func limitRun(of spec: SidecarSpec) {
        runDeadline = spec.kind == .task ? spec.timeout.map { startedAt + $0 } : nil
    }

    var nextProbe: Instant? { earliest([startup?.dueAt, readiness?.dueAt, liveness?.dueAt]) }

    /// Nil while something else than time is waited for: then the end of settling may go by with nothing to do.
    var settleDeadline: Instant? {
        guard readiness == nil, startup.map({ $0.isPassing == true }) ?? true else { return nil }
        return settleAt
    }

    subscript(role: ProbeRole) -> ProbeCounter? {
        get {
            switch role {
            case .startup: startup
            case .readiness: readiness
            case .liveness: liveness
            }
        }
        set {
            switch role {
            case .startup: startup = newValue
            case .readiness: readiness = newValue
            case .liveness: liveness = newValue
            }
        }
    }
}

enum StartStep: Sendable {
    /// The `pre_start` hook runs.
    case preparing
    /// The spawn's answer is awaited.
    case spawning
    case running
}

/// An end under way.
struct Stop: Sendable {
    enum Step: Sendable {
        /// Dependents that are leaving too go first.
        case queued
        /// A `pre_start` hook is being ended; there is no process yet.
        case endingHook
        /// It was asked to stop before the spawn's answer came.
        case awaitingSpawn
        case preStop(until: Instant)
        /// The n-th signal of the sequence was sent.
        case signalled(Int, until: Instant)
        /// The leader is gone, what it left behind was told to go.
        case clearing(until: Instant)
        /// SIGKILL was sent. Nil once the survivors were asked for.
        case killing(inspectAt: Instant?)
        /// SIGKILL did not end these.
        case stuck([Survivor])
    }

    /// What follows when it is empty.
    enum Ending: Sendable {
        case stop
        case restart
        case ended(End)

        /// Whatever follows, it was stopped: it may have been started again before that was done.
        var isStop: Bool { if case .stop = self { true } else { false } }
    }

    var step: Step
    var ending: Ending
    var leaderLives: Bool
    /// When the whole sequence's grace is over; set when the first signal (or `pre_stop`) goes out.
    var graceEnds: Instant?

    var deadline: Instant? {
        switch step {
        case .queued, .endingHook, .awaitingSpawn, .stuck: nil
        case .preStop(let until), .signalled(_, let until), .clearing(let until): until
        case .killing(let inspectAt): inspectAt
        }
    }
}

func earliest(_ instants: [Instant?]) -> Instant? {
    var first: Instant?
    for case let instant? in instants where first.map({ instant < $0 }) ?? true { first = instant }
    return first
}

/// What an instance gives to those who depend on it, at this moment.
struct Levels: OptionSet, Sendable {
    var rawValue: UInt8

    static let started = Levels(rawValue: 1)
    static let healthy = Levels(rawValue: 2)
    static let succeeded = Levels(rawValue: 4)
    static let completed = Levels(rawValue: 8)

    static func level(for condition: DependencySpec.Condition) -> Levels {
        switch condition {
        case .started: .started
        case .healthy: .healthy
        case .succeeded: .succeeded
        case .completed: .completed
        }
    }
}
