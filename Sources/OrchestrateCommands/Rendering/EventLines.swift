import ControlAPI
import SidecarModel

/// Changes that came at once, a line each. Many that are held back by the same share one.
struct EventLines {
    private var changes: [TransitionEvent] = []

    /// More of them would push what matters out of sight.
    private static let blockedAtMost = 10
    private static let named = 5

    mutating func add(_ transition: TransitionEvent) { changes.append(transition) }

    /// Hands all of them out, with a newline after each line.
    mutating func take(_ palette: Palette) -> String {
        defer { changes = [] }
        let blocked = Dictionary(grouping: changes.filter { $0.to == .blocked }, by: \.cause)
            .filter { $0.value.count > Self.blockedAtMost }
        var told: Set<String> = []
        var text = ""
        for change in changes {
            guard change.to == .blocked, let others = blocked[change.cause] else {
                text += EventLine.text(change, palette: palette) + "\n"
                continue
            }
            if told.insert(change.cause).inserted { text += line(others, change.cause, palette) + "\n" }
        }
        return text
    }

    private func line(_ blocked: [TransitionEvent], _ cause: String, _ palette: Palette) -> String {
        let names = blocked.prefix(Self.named).map { palette.paint($0.instance.terminalSafe, .bold) }
        let state = palette.paint(StateName.blocked.rawValue, palette.color(of: .blocked))
        let reason = cause.isEmpty ? "" : ": \(cause.terminalSafe)"
        return "\(names.joined(separator: ", ")) and \(blocked.count - names.count) more are \(state)\(reason)"
    }
}
