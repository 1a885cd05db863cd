import ControlAPI
import SidecarModel

/// A change as a plain line, where there is no terminal to draw on.
enum EventLine {
    /// `db  starting → healthy  after 1.2s  tcp 127.0.0.1:5432 accepts`
    static func text(_ transition: TransitionEvent, palette: Palette) -> String {
        line(transition.instance, transition.to, transition.cause, palette)
    }

    /// Where it got to, though nobody saw it get there.
    static func text(_ instance: InstanceReport, palette: Palette) -> String {
        line(instance.name, instance.state, instance.reason, palette)
    }

    private static func line(_ name: String, _ state: StateName, _ cause: String, _ palette: Palette) -> String {
        let reason = cause.isEmpty ? "" : ": \(cause.terminalSafe)"
        return
            "\(palette.paint(name.terminalSafe, .bold)) \(palette.paint(state.rawValue, palette.color(of: state)))\(reason)"
    }

    /// What a task has come to shows at its end: that it lives is no news, unless it was asked.
    static func isWorthALine(_ transition: TransitionEvent, in view: ProjectView) -> Bool {
        let isAlive = transition.isAssumed == true && view[transition.instance]?.kind == .task
        return isWorthALine(transition.to) && !isAlive
    }

    /// Worth a line of its own: where it got to, not every step there.
    static func isWorthALine(_ state: StateName) -> Bool {
        switch state {
        case .healthy, .unhealthy, .backoff, .completed, .failed, .blocked, .stopped: true
        case .waiting, .starting, .stopping, .scheduled: false
        }
    }
}
