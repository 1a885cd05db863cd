import SidecarModel

/// One probe of one incarnation: when it runs next, and what its results add up to.
struct ProbeCounter: Hashable, Sendable {
    /// When to run it. Nil: under way, pushed by the sidecar, or not begun.
    private(set) var dueAt: Instant?
    private(set) var isActive = false
    private(set) var hasSucceeded = false
    /// Nil until a threshold was reached.
    private(set) var isPassing: Bool?
    private var isUnderWay = false
    private var lastStarted = Instant(nanoseconds: 0)
    private var successes = 0
    private var failures = 0
    /// The next pause before the first success: 1, 2, 4, 8 … ms.
    private var pause = Duration.milliseconds(1)

    /// Begins to probe, unless it has.
    mutating func activate(_ probe: Probe, at now: Instant) {
        guard !isActive else { return }
        isActive = true
        if !probe.isPushed { dueAt = now + probe.initialDelay }
    }

    /// Takes up a probe of a process that was found healthy or unhealthy before: by an earlier supervisor, or without it.
    mutating func resume(_ probe: Probe, isPassing: Bool, at now: Instant) {
        isActive = true
        hasSucceeded = true
        self.isPassing = isPassing
        if !probe.isPushed { dueAt = now }
    }

    /// A changed probe: counts begin anew, what it said holds until it says something else.
    mutating func rearm(_ probe: Probe, at now: Instant) {
        successes = 0
        failures = 0
        // A sidecar that has said it is ready does not say so again: the failure was that of a probe that is no more.
        if probe.isPushed, isPassing == false { isPassing = hasSucceeded }
        if isActive, !isUnderWay { dueAt = probe.isPushed ? nil : now }
    }

    /// Its question is answered for this life: it is not asked again.
    mutating func pass() {
        isActive = false
        dueAt = nil
        hasSucceeded = true
        isPassing = true
    }

    /// True when a run is due; it then counts as under way.
    mutating func begin(at now: Instant) -> Bool {
        guard let due = dueAt, due <= now else { return false }
        dueAt = nil
        isUnderWay = true
        lastStarted = now
        return true
    }

    /// Folds a result in.
    /// - Parameter countsFailures: failures before the first success count, because starting is over.
    mutating func record(_ outcome: ProbeOutcome, of probe: Probe, countsFailures: Bool, at now: Instant) {
        // What a sidecar says by itself it says once, maybe before it is asked.
        guard isActive || probe.isPushed else { return }
        switch outcome {
        case .success, .unverified:
            hasSucceeded = true
            failures = 0
            successes += 1
            if successes >= probe.successThreshold || probe.isPushed { isPassing = true }
        case .foreign, .failure, .timeout:
            successes = 0
            if hasSucceeded || countsFailures { failures += 1 }
            if failures >= probe.failureThreshold { isPassing = false }
        }
        // A result that nobody asked for (pushed, or late and equal in effect) moves no schedule.
        guard isUnderWay else { return }
        isUnderWay = false
        if hasSucceeded || countsFailures {
            // After a jump of the clock the run is due once, not once for every period missed.
            let next = lastStarted + probe.period
            dueAt = next > now ? next : now + probe.period
        } else {
            dueAt = now + min(pause, probe.period)
            pause = min(pause * 2, probe.period)
        }
    }
}
