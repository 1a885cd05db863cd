import ControlAPI
import SidecarModel
import StateStore

/// What a person needs when something did not get there in time: who, what each does instead, the last words of those that
/// were tried, and what to do next.
struct LateReport {
    var goal: Goal
    var late: [InstanceReport]
    /// By instance name, oldest first.
    var lastLines: [String: [String]] = [:]
    /// ` -f path`, to stand in the commands it names.
    var selector: String
    var now = Timestamp.now
    /// Of the terminal it is shown on. Nil: it is shown on none.
    var columns: Int?

    private static let shownAtMost = 20

    /// With the last words of the first of those that have some.
    init(_ goal: Goal, _ late: [InstanceReport], in context: ProjectContext) {
        self.goal = goal
        self.late = late
        selector = context.selector
        columns = Terminal.columnsOfErrors
        guard goal != .stopped else { return }
        lastLines = LogAccess.lastLines(of: Array(late.filter(Self.wasTried).prefix(3)), in: context, count: 5)
    }

    init(_ goal: Goal, _ late: [InstanceReport], lastLines: [String: [String]], selector: String, now: Timestamp) {
        (self.goal, self.late, self.lastLines, self.selector, self.now) = (goal, late, lastLines, selector, now)
    }

    private static func wasTried(_ instance: InstanceReport) -> Bool {
        switch instance.state {
        case .backoff, .starting, .unhealthy, .failed: true
        case .waiting, .blocked, .healthy, .stopping, .stopped, .completed, .scheduled: false
        }
    }

    func lines(_ palette: Palette) -> [String] {
        var lines = ["not \(goal.rawValue) in time:"]
        for instance in late.prefix(Self.shownAtMost) {
            let detail = StateText.detail(of: instance, now: now)
            lines.append("  \(instance.name): \(instance.state.rawValue)  \(detail)".terminalSafe)
            lines += LogQuote.lines(lastLines[instance.name] ?? [], columns: columns, palette)
        }
        if late.count > Self.shownAtMost { lines.append("  and \(late.count - Self.shownAtMost) more") }
        guard let first = late.first(where: Self.wasTried) ?? late.first else { return lines }
        let name = first.name.terminalSafe
        return lines + ["See more:   orchestrate logs\(selector) \(name)   ·   orchestrate why\(selector) \(name)"]
    }
}
