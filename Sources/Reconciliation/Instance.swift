import SidecarModel

/// One replica of a sidecar: what is wanted of it, where it is, and what it has been through.
struct Instance: Sendable {
    let group: Int
    let replica: Int
    /// False: no longer in the plan; it leaves, and then its place is free.
    var isDeclared = true
    var isWanted = false
    var shared: SharedSpec
    var phase: Phase = .stopped
    var incarnation = Incarnation(0)
    /// Why it is where it is, as a sentence, and since when.
    var reason = ""
    var since: Instant
    var replacement = Replacement.none
    /// Addresses of others that its life was started with are no longer theirs: true until it starts anew, whatever becomes
    /// of a replacement meanwhile.
    var holdsDeadAddresses = false
    /// It is being replaced; others wait for it to arrive.
    var isCycling = false
    /// Its next start is the restart of what is to run all along: neither a first one, nor one after it was stopped or had
    /// completed, unless somebody asked for a restart by that name.
    var isRestart = false
    /// A task that had succeeded, and waits to run only because its declaration changed.
    var waitsForChangedRun = false
    /// In `Reconciler.applyWaiters`.
    var isApplyWaiter = false
    var restartsTotal = 0
    var consecutiveFailures = 0
    var recentRestarts: [Instant] = []
    var healthySince: Instant?
    var lastExit: ExitStatus?
    /// How the process of its current or last life ended. Nil: it lives, or there was none: what the one before came to is
    /// no fact about this one.
    var exitOfLife: ExitStatus?
    var startedFingerprint: UInt64 = 0
    /// Failed, and these dependencies came back since: reason to try again.
    var hasHopeFrom: [Int] = []
    /// Stands in the line for `start.max_parallel`.
    var isInLine = false
    /// Its place is free.
    var isRetired = false
    /// The initiator of the start, stop or restart under way.
    var initiator = Initiator.apply

    /// Whether its life is to give way to a new one.
    enum Replacement: Sendable {
        case none
        /// As soon as the order allows.
        case pending(Initiator)
        /// Its own declaration or an address it holds is another one, and something failed before its turn: when what it
        /// depends on, and the rest of its sidecar, is well.
        case halted
    }

    init(group: Int, replica: Int, shared: SharedSpec, at now: Instant) {
        self.group = group
        self.replica = replica
        self.shared = shared
        since = now
    }

    /// Who asked for the replacement that is to come as soon as the order allows.
    var pendingRestart: Initiator? {
        get { if case .pending(let initiator) = replacement { initiator } else { nil } }
        set { replacement = newValue.map { .pending($0) } ?? .none }
    }

    /// Pending or halted: others decide when.
    var awaitsReplacement: Bool { if case .none = replacement { false } else { true } }

    var isRestartHalted: Bool { if case .halted = replacement { true } else { false } }

    /// The spec its current life was started with; between lives, the one it would be.
    var spec: SidecarSpec {
        get { shared.value }
        set { shared = SharedSpec(newValue) }
    }

    /// No process of it lives, and none is being started. What SIGKILL could not end counts as gone: nobody waits for
    /// what may never happen.
    var isGone: Bool {
        switch phase {
        case .stopped, .waiting, .blocked, .backoff, .failed, .completed: true
        case .starting, .healthy, .unhealthy: false
        case .stopping: isStuck
        }
    }

    /// SIGKILL did not end it.
    private var isStuck: Bool {
        if case .stopping(_, let stop) = phase, case .stuck = stop.step { true } else { false }
    }

    /// On its way out for good, or about to be.
    var isLeaving: Bool { !isWanted && !isGone }

    /// It is between one life and the arrival of the next, or of the first, and does not pause after a failure.
    var isOnItsWay: Bool {
        guard isWanted else { return false }
        switch phase {
        case .waiting, .starting: return true
        case .stopping: return !isGone
        case .stopped, .blocked, .backoff, .failed, .completed, .healthy, .unhealthy: return false
        }
    }

    var isUnsettled: Bool { openReplacements > 0 }

    /// The replacement under way and the one to come: it may be asked for again before the first has arrived.
    var openReplacements: Int { isStuck ? 0 : (pendingRestart == nil ? 0 : 1) + (isCycling ? 1 : 0) }

    /// It stops, or starts, on the way to a new life: that ends by itself, well or badly.
    var isBeingReplaced: Bool {
        guard !isRetired, isUnsettled || isToBeReplaced else { return false }
        switch phase {
        case .stopping: return !isStuck
        case .starting(let run, _): return run.startDeadline != nil
        case .stopped, .waiting, .blocked, .backoff, .failed, .completed, .healthy, .unhealthy: return false
        }
    }

    /// Its old life is to end so that a new one begins.
    var isToBeReplaced: Bool {
        if isStuck { return false }
        if pendingRestart != nil { return true }
        if case .stopping(_, let stop) = phase, case .restart = stop.ending { return true }
        return false
    }

    /// It is to be replaced for what an apply, or another sidecar, changed.
    var isRolled: Bool { pendingRestart == .apply || pendingRestart == .dependency }

    var isStarting: Bool { if case .starting = phase { spec.kind != .external } else { false } }

    /// Healthy long enough without a break, and the row of failures before that is over. What a window counts it counts
    /// whatever lies between.
    func failuresInARow(at now: Instant) -> Int {
        if let healthySince, now - healthySince >= spec.restart.resetAfter { 0 } else { consecutiveFailures }
    }

    mutating func leaveHealth(at now: Instant) {
        consecutiveFailures = failuresInARow(at: now)
        healthySince = nil
    }

    /// A fresh budget.
    mutating func forgive() {
        consecutiveFailures = 0
        recentRestarts = []
    }

    mutating func note(_ exit: ExitStatus) { (lastExit, exitOfLife) = (exit, exit) }

    /// It is no longer wanted. Whatever was to follow the end of its life, nothing does.
    mutating func leave(by initiator: Initiator) {
        isWanted = false
        pendingRestart = nil
        isInLine = false
        self.initiator = initiator
        if case .stopping(let run, var stop) = phase {
            stop.ending = .stop
            phase = .stopping(run, stop)
        }
    }

    var levels: Levels {
        // Who is about to leave is no ground to start on.
        guard isDeclared, isWanted else { return [] }
        switch phase {
        case .stopped, .waiting, .blocked, .backoff, .stopping, .starting(_, .preparing), .starting(_, .spawning):
            return []
        case .starting(_, .running), .unhealthy: return .started
        case .healthy: return [.started, .healthy]
        // A task that is done has been started; a service that ended offers nothing any more.
        case .completed: return spec.kind == .task ? [.started, .succeeded, .completed] : [.succeeded, .completed]
        case .failed(let end, _): return end.isOfProcess ? .completed : []
        }
    }

    /// False when only somebody's action, or the recovery of another, can bring the level.
    func mayReach(_ level: Levels) -> Bool {
        if levels.contains(level) { return true }
        switch phase {
        case .stopped: return isWanted
        case .waiting, .backoff, .starting, .healthy, .unhealthy: return true
        case .stopping: return isWanted && !isStuck
        case .blocked, .failed, .completed: return pendingRestart != nil
        }
    }
}

/// A sidecar: its instances, and its edges to other groups.
struct Group: Sendable {
    struct Edge: Sendable {
        var target: Int
        var condition: DependencySpec.Condition
        var required: Bool
        var quorum: Int?
    }

    let name: String
    var shared: SharedSpec
    var isDeclared = true
    var edges: [Edge] = []
    var dependents: [Int] = []
    /// By replica. Those beyond the declared number are on their way out.
    var instances: [Int] = []
    /// How many instances hold each level.
    var started = 0
    var healthy = 0
    var succeeded = 0
    var completed = 0
    /// How many replacements of its instances are to come or under way.
    var unsettled = 0

    init(name: String, spec: SidecarSpec) {
        self.name = name
        shared = SharedSpec(spec)
    }

    var spec: SidecarSpec {
        get { shared.value }
        set { shared = SharedSpec(newValue) }
    }

    func count(of level: Levels) -> Int {
        switch level {
        case .started: started
        case .healthy: healthy
        case .succeeded: succeeded
        default: completed
        }
    }

    mutating func adjust(by levels: Levels, _ amount: Int) {
        if levels.contains(.started) { started += amount }
        if levels.contains(.healthy) { healthy += amount }
        if levels.contains(.succeeded) { succeeded += amount }
        if levels.contains(.completed) { completed += amount }
    }
}
