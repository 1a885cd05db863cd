import SidecarModel

/// Colours, or none.
struct Palette: Sendable {
    enum Color: String, CaseIterable {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case magenta = "35"
        case cyan = "36"
    }

    var isOn: Bool

    func paint(_ text: String, _ color: Color?) -> String {
        guard isOn, let color, !text.isEmpty else { return text }
        return "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m"
    }

    func color(of state: StateName) -> Color {
        switch state {
        case .healthy, .completed: .green
        case .starting, .waiting, .scheduled, .stopping: .cyan
        case .backoff, .unhealthy: .yellow
        case .failed, .blocked: .red
        case .stopped: .dim
        }
    }

    /// A colour for a log prefix: the same name has the same one.
    func prefixColor(of name: String) -> Color {
        let colors: [Color] = [.cyan, .yellow, .green, .magenta, .blue]
        let sum = name.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff }
        return colors[sum % colors.count]
    }
}
