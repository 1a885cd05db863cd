import ControlAPI
import SidecarModel

/// What a person needs when something did not come up: who, at which step, why, its last words, whom it holds back, and
/// what to do next.
struct FailureReport {
    var failed: [InstanceReport]
    var all: [InstanceReport]
    /// By instance name, oldest first.
    var lastLines: [String: [String]] = [:]
    /// ` -f path`, to stand in the commands it names.
    var selector: String
    /// The command is about to take the project down, so there is nothing to be done next.
    var isTakenDown = false

    /// Of the terminal it is shown on. Nil: it is shown on none.
    var columns: Int?

    /// Of those one holds back. All of them are in `status`.
    private static let shownAtMost = 20

    func lines(_ palette: Palette) -> [String] {
        // One that is held back by another is a consequence: it stands below its cause.
        let causes = failed.filter { $0.state != .blocked }
        let shown = causes.isEmpty ? failed : causes
        return shown.flatMap { paragraph(on: $0, palette) } + [""] + ending(shown)
    }

    private func paragraph(on instance: InstanceReport, _ palette: Palette) -> [String] {
        let name = instance.name.terminalSafe
        var sentence = "\(palette.paint(name, .red)) \(instance.state.rawValue)"
        if !instance.reason.isEmpty { sentence += ": \(instance.reason.terminalSafe)" }
        var lines = ["", sentence]
        if let exit = instance.lastExit, !instance.reason.contains(exit.sentence) {
            lines.append("  last exit: \(exit.sentence)")
        }
        if instance.consecutiveFailures > 1, !instance.reason.contains("in a row") {
            lines.append("  attempts: \(instance.consecutiveFailures)")
        }
        if let words = lastLines[instance.name], !words.isEmpty {
            lines.append("  last lines:")
            lines += LogQuote.lines(words, columns: columns, palette)
        }
        let blocked = heldBack(by: instance.sidecar)
        if !blocked.isEmpty {
            let more = blocked.count > Self.shownAtMost ? " and \(blocked.count - Self.shownAtMost) more" : ""
            let names = blocked.prefix(Self.shownAtMost).joined(separator: ", ").terminalSafe
            lines.append("  held back by it: \(names)\(more)")
        }
        return lines
    }

    /// Also those that need one that is held back itself, in the order of all.
    private func heldBack(by sidecar: String) -> [String] {
        // Who needs only some instances of what failed, or can do without it, goes on waiting or starts.
        let blocked = all.filter { $0.state == .blocked }
        var held: Set<String> = [sidecar]
        var count = 0
        while held.count > count {
            count = held.count
            held.formUnion(blocked.filter { !held.isDisjoint(with: $0.waitingFor) }.map(\.sidecar))
        }
        return blocked.filter { !held.isDisjoint(with: $0.waitingFor) }.map(\.name)
    }

    private func ending(_ shown: [InstanceReport]) -> [String] {
        guard let first = shown.first else { return [] }
        let name = first.name.terminalSafe
        let closer = "See more:   orchestrate logs\(selector) \(name)   ·   orchestrate why\(selector) \(name)"
        return isTakenDown
            ? [closer] : [closer, "Then:       orchestrate up\(selector) again, or orchestrate down\(selector)"]
    }
}
