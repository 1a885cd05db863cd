package import ControlAPI

/// How long a command waits for its supervisor, in one place: whatever asks it something, or waits for one to come, has
/// the same.
package final class Patience {
    /// For how long one answer is waited for. The deadline of the command ends it in any case.
    package enum Wait {
        /// Until the deadline where there is one, else half a minute.
        case usual
        case atMost(Duration)
        case asLongAsItTakes
    }

    /// When the command is to be over. Nil: it has no end of its own, or what it does by now is not bound by it.
    package var deadline: ContinuousClock.Instant?
    /// How long nobody may answer before a signal ends the command. Not at once where the command is to do something for
    /// the signal, for which it needs the supervisor.
    package var heedsSignalsAfter = remarkable

    private let isInterrupted: () -> Bool
    private let say: (String) -> Void
    private var hasSaid = false

    private static let usual = Duration.seconds(30)
    /// What is asked as the deadline passes, to tell what was not done by then, gets a moment.
    private static let lastMoment = Duration.seconds(1)
    /// After which the silence is told of.
    private static let remarkable = Duration.seconds(5)
    /// Signals may be blocked, and are seen by no poll: they are looked for.
    private static let step = Duration.milliseconds(100)

    /// - Parameters:
    ///   - timeout: of the whole command, from now on.
    ///   - isInterrupted: whether a signal has come that is to end the command.
    ///   - say: tells a person what is waited for, once.
    package init(
        timeout: Duration? = nil, isInterrupted: @escaping () -> Bool = { false },
        say: @escaping (String) -> Void = { _ in }
    ) {
        deadline = timeout.map { ContinuousClock.now + $0 }
        self.isInterrupted = isInterrupted
        self.say = say
    }

    /// What the command has left. Nil: it has no end.
    package var rest: Duration? { deadline.map { max(.zero, $0 - .now) } }

    /// Whether the command should be over by now.
    package var isOver: Bool { rest == .zero }

    /// One wait, which has just begun.
    package struct Running {
        fileprivate let began: ContinuousClock.Instant
        fileprivate let end: ContinuousClock.Instant?
    }

    package func begin(_ wait: Wait = .usual) -> Running {
        let now = ContinuousClock.now
        let end: ContinuousClock.Instant? =
            switch wait {
            case .usual: deadline.map { max($0, now + Self.lastMoment) } ?? now + Self.usual
            case .atMost(let duration): min(now + duration, deadline ?? now + duration)
            case .asLongAsItTakes: deadline.map { max($0, now + Self.lastMoment) }
            }
        return Running(began: now, end: end)
    }

    /// How long to wait before this is asked again. Throws `timeout` when the wait is over, and `interrupted`.
    /// - Parameter silence: who does not answer what.
    package func rest(
        of wait: Running, _ silence: @autoclosure () -> Silence
    ) throws(ControlError) -> Duration {
        let now = ContinuousClock.now
        let past = now - wait.began
        if past >= heedsSignalsAfter, isInterrupted() {
            throw ControlError(.interrupted, "interrupted; " + silence().sentence(after: past))
        }
        let rest = wait.end.map { $0 - now }
        if let rest, rest <= .zero { throw ControlError(.timeout, silence().sentence(after: past)) }
        if past >= Self.remarkable, !hasSaid {
            hasSaid = true
            say("still waiting: " + silence().sentence(after: past))
        }
        return min(rest ?? Self.step, Self.step)
    }
}
