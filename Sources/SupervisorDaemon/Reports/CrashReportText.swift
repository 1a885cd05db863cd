import ControlAPI
import DiagnosticRendering
import SidecarModel

/// A report for people. Whatever came from a sidecar is made harmless: it will be shown on somebody's terminal.
enum CrashReportText {
    static func summary(_ report: CrashReport) -> String {
        var lines = [
            "\(report.instance) is \(report.state.rawValue) since \(report.since)",
            report.reason.isEmpty ? "no reason is on record" : report.reason, "",
            "last exit:    \(report.lastExit?.sentence ?? "none")",
            "incarnation:  \(report.incarnation), \(report.restartsTotal) restarts in all, "
                + "\(report.consecutiveFailures) failures in a row",
        ]
        if let usage = report.usage {
            let most = usage.maximumMemoryBytes.map { "at most \($0 >> 10)" }
            let bound = usage.memoryBoundBytes.map { "less than \($0 >> 10)" }
            let memory = usage.memoryBytes.map { "now \($0 >> 10)" } ?? most ?? bound ?? "an unknown number of"
            lines.append("used:         \(usage.cpuMilliseconds) ms of CPU, \(memory) KiB of memory")
        }
        let ports = report.ports.map { "\($0.name) \($0.number)" }.joined(separator: ", ")
        lines.append("ports:        \(ports.isEmpty ? "none" : ports)")
        if let probe = report.lastProbe { lines.append("last check:   \(probe)") }
        lines.append("changed:      \(changes(report.changes))")
        let containment = report.containment?.sentence ?? "no supervisor to ask"
        lines += [
            "containment:  \(containment)",
            "versions:     orchestrate \(report.version), control protocol \(report.control), Linux \(report.kernel)",
            "project:      \(report.project), \(report.manifest)", "made at:      \(report.madeAt)", "",
            "health checks, as far as they changed its state:",
        ]
        lines += report.probes.isEmpty ? ["  none"] : report.probes.suffix(50).map { "  " + line($0) }
        return text(lines)
    }

    private static func changes(_ changes: CrashReport.Changes?) -> String {
        guard let changes else { return "it was never well, as far as is known" }
        return changes.keys.isEmpty
            ? "nothing since it was last well (\(changes.since))"
            : "\(changes.keys.joined(separator: ", ")), since it was last well (\(changes.since))"
    }

    static func journal(_ report: CrashReport) -> String { text(report.journal.map(line)) }

    static func environment(_ report: CrashReport) -> String { text(report.environment.map { "\($0)=[redacted]" }) }

    private static func line(_ step: CrashReport.Step) -> String {
        let cause = step.cause.isEmpty ? "" : "  \(step.cause)"
        let other = step.causedBy.map { ", because of \($0)" } ?? ""
        return "\(step.at)  \(step.instance)#\(step.incarnation)  \(step.from.rawValue) → \(step.to.rawValue)\(cause)  "
            + "(by \(step.initiator.rawValue)\(other))"
    }

    private static func text(_ lines: [String]) -> String {
        lines.map { TerminalText.safe($0) + "\n" }.joined()
    }
}
