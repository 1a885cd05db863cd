package import SidecarModel

/// How a life of an instance came to its end without anybody asking for it.
package enum End: Hashable, Codable, Sendable {
    case exit(ExitStatus)
    /// It failed as another process had its port. The sentence names port and process.
    case portConflict(String, ExitStatus)
    /// Ended by us: liveness failed. The last result as a sentence.
    case liveness(String)
    /// Ended by us: not healthy in time. What it was waiting for.
    case startTimeout(String)
    /// Ended by us: a task ran longer than its `timeout`.
    case runTimeout
    case spawn(SpawnFailure)
    /// `pre_start` failed.
    case hook(String)

    var summary: String {
        switch self {
        case .exit(let status): "\(status)"
        case .portConflict(let detail, let status): "port_conflict: \(detail) (\(status))"
        case .liveness(let detail): "liveness failed: \(detail)"
        case .startTimeout(let detail): "not healthy in time: \(detail)"
        case .runTimeout: "ran longer than its timeout"
        case .spawn(let failure): failure.message
        case .hook(let detail): "pre_start failed: \(detail)"
        }
    }

    /// It ran, and is over; whoever ended it.
    var isOfProcess: Bool {
        switch self {
        case .exit, .portConflict, .liveness, .runTimeout: true
        case .startTimeout, .spawn, .hook: false
        }
    }

    var exitStatus: ExitStatus? {
        switch self {
        case .exit(let status), .portConflict(_, let status): status
        case .liveness, .startTimeout, .runTimeout, .spawn, .hook: nil
        }
    }
}

/// What follows the end of a life: a pure function of the policy, the end, and what went before.
enum RestartDecision: Hashable, Sendable {
    /// It ended by policy, successfully.
    case complete
    case retry(after: Duration, attempt: Int)
    case giveUp(String)

    /// - Parameters:
    ///   - failures: consecutive restarts so far, this end not counted.
    ///   - recent: restarts within the policy's window, when it has one.
    ///   - jitter: draws a number from -1 to 1; asked only when a delay is needed.
    init(policy: RestartSpec, end: End, failures: Int, recent: Int, jitter: () -> Double) {
        if let status = end.exitStatus {
            let succeeded = policy.isSuccess(status)
            if case .code(let code) = status, policy.noRestartCodes.contains(code) {
                let conflict = if case .portConflict = end { end.summary + ", and " } else { "" }
                self = .giveUp("\(conflict)exit \(code) is in no_restart_codes")
                return
            }
            if succeeded, policy.policy != .always {
                self = .complete
                return
            }
        }
        guard policy.policy != .never else {
            self = .giveUp(end.summary)
            return
        }
        if policy.maxAttempts > 0 {
            if let window = policy.window {
                if recent >= policy.maxAttempts {
                    self = .giveUp("\(end.summary), after \(Self.restarts(recent)) in \(window.shown)")
                    return
                }
            } else if failures >= policy.maxAttempts {
                self = .giveUp("\(end.summary), after \(Self.restarts(failures)) in a row")
                return
            }
        }
        self = .retry(after: policy.delay(beforeAttempt: failures + 1, jitter: jitter), attempt: failures + 1)
    }

    private static func restarts(_ count: Int) -> String { count == 1 ? "1 restart" : "\(count) restarts" }
}

extension RestartSpec {
    func isSuccess(_ status: ExitStatus) -> Bool {
        if case .code(let code) = status { code == 0 || successCodes.contains(code) } else { false }
    }

    /// `delay × factor^(n-1)`, spread by the jitter's share, at most `max_delay`.
    func delay(beforeAttempt attempt: Int, jitter draw: () -> Double) -> Duration {
        guard delay > .zero else { return .zero }
        var seconds = Double(delay.nanoseconds)
        let limit = Double(maxDelay.nanoseconds)
        for _ in 1..<max(attempt, 1) {
            seconds *= factor
            if seconds >= limit { break }
        }
        seconds = min(seconds, limit)
        if jitter > 0 { seconds = min(seconds + seconds * jitter * draw(), limit) }
        // The largest double below Int64.max; a delay of centuries is as good as never.
        return .nanoseconds(Int64(min(max(seconds, 0), 9.2e18)))
    }
}

extension Duration {
    /// For sentences: `250 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`.
    package var shown: String {
        let milliseconds = nanoseconds / 1_000_000
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        if milliseconds < 10_000 {
            let tenths = (milliseconds % 1000) / 100
            return tenths == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds / 1000).\(tenths) s"
        }
        let seconds = milliseconds / 1000
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s" }
        let minutes = seconds / 60
        return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes / 60) h \(minutes % 60) min"
    }
}
