/// Findings as people read them: by area, what is amiss with the way to mend it below.
enum FindingText {
    static func lines(_ findings: [Finding], palette: Palette) -> [String] {
        var lines: [String] = []
        var area: String?
        for finding in findings {
            if finding.area != area {
                if area != nil { lines.append("") }
                lines.append(palette.paint(finding.area.terminalSafe, .bold))
                area = finding.area
            }
            let (symbol, color): (String, Palette.Color) =
                switch finding.verdict {
                case .good: ("✔", .green)
                case .notice: ("▲", .yellow)
                case .wrong: ("✖", .red)
                }
            lines.append(
                "  \(palette.paint(symbol, color)) \(finding.subject.terminalSafe): \(finding.detail.terminalSafe)")
            if let remedy = finding.remedy { lines.append("      \(palette.paint("→", .dim)) \(remedy.terminalSafe)") }
        }
        return lines + ["", summary(findings)]
    }

    static func summary(_ findings: [Finding]) -> String {
        let wrong = findings.count { $0.verdict == .wrong }
        let notices = findings.count { $0.verdict == .notice }
        if wrong == 0, notices == 0 { return "all is well" }
        var parts: [String] = []
        if wrong > 0 { parts.append("\(wrong) \(wrong == 1 ? "problem" : "problems")") }
        if notices > 0 { parts.append("\(notices) \(notices == 1 ? "notice" : "notices")") }
        return parts.joined(separator: ", ")
    }

    static func lines(_ leaks: [Leak], fifos: [String], palette: Palette) -> [String] {
        let rest =
            fifos.isEmpty
            ? []
            : ["\(LeakSearch.sentence(on: fifos)); \(LeakSearch.remedyForFIFOs):"]
                + fifos.map { "  \($0)".terminalSafe }
        guard !leaks.isEmpty else { return fifos.isEmpty ? ["nothing is left over"] : rest }
        var table = Table("PID", "COMMAND", "UID", "PROJECT", "KNOWN BY")
        for leak in leaks {
            table.rows.append([
                .init(String(leak.pid)), .init(leak.command), .init(String(leak.uid)), .init(leak.project ?? "-"),
                .init(leak.evidence),
            ])
        }
        let remedies = LeakSearch.remedies(for: leaks).map { "\(palette.paint("→", .dim)) \($0.terminalSafe)" }
        return table.lines(palette) + [""] + remedies + rest
    }
}
