import ControlAPI
import SidecarModel
import StateStore

/// The causal chain behind an instance's state, from the journal: each step with what set it in motion, and where that
/// was another sidecar, that one's step before it.
enum WhyChain {
    /// Of one instance.
    private static let stepsAtMost = 12
    /// From one sidecar to the next.
    private static let linksAtMost = 8

    /// - Parameters:
    ///   - others: of the same sidecar, named with their states.
    ///   - journal: of all sidecars, oldest first.
    ///   - isRunning: false where nothing of the project is left: what was under way has ended with its supervision.
    ///   - present: what the supervisor says now of those that stop.
    static func lines(
        for sidecar: String, replica: Int?, others: [(replica: Int, state: StateName)] = [], journal: [TransitionRow],
        isRunning: Bool = true, present: [InstanceReport] = [], palette: Palette
    ) -> [String] {
        guard let last = journal.last(where: { $0.sidecar == sidecar && (replica == nil || $0.replica == replica) })
        else { return [] }
        let own = journal.filter { $0.sidecar == sidecar && $0.replica == last.replica }
        let state = palette.paint(last.to.rawValue, palette.color(of: last.to))
        // The same state for another reason is still the same.
        let since = Timestamp(microseconds: (own.last { $0.from != $0.to } ?? last).atWall)
        let now = last.to == .stopping ? present.first { $0.replica == last.replica } : nil
        let stop = now.map { StateText.stopping($0, now: .now) } ?? ""
        var lines = [
            palette.paint(name(last, in: journal), .bold)
                + (isRunning || last.to.isFinal
                    ? " is \(state) since \(since)\(stop.isEmpty ? "" : ": \(stop.terminalSafe)")"
                    : " is stopped: its supervision was lost while it was \(state), which it had been since \(since)")
        ]
        if isRunning, !others.isEmpty {
            let states = others.map {
                "\(sidecar.terminalSafe)/\($0.replica) \(palette.paint($0.state.rawValue, palette.color(of: $0.state)))"
            }
            lines.append("others: " + states.joined(separator: ", "))
        }
        lines.append("")
        // The life that led here: back to where it was last at rest.
        let entered = own.lastIndex { $0.from != $0.to } ?? own.endIndex - 1
        let start = own[..<entered].lastIndex { isAtRest($0.to) }.map { $0 + 1 } ?? 0
        let steps = own[start...]
        if steps.count > Self.stepsAtMost {
            lines.append(palette.paint("… \(steps.count - Self.stepsAtMost) earlier steps are left out", .dim))
        }
        for step in steps.suffix(Self.stepsAtMost) {
            lines.append(line(step, in: journal, indent: 0, palette))
            lines += causes(of: step, journal: journal, palette: palette)
        }
        return lines
    }

    private static func causes(of step: TransitionRow, journal: [TransitionRow], palette: Palette) -> [String] {
        var lines: [String] = []
        var current = step
        var seen: Set<String> = [step.sidecar]
        for depth in 1...Self.linksAtMost + 1 {
            guard let other = current.causedBy, seen.insert(other).inserted,
                let cause = journal.last(where: { $0.sidecar == other && $0.id < current.id })
            else { break }
            guard depth <= Self.linksAtMost else {
                let rest = "… it goes on: orchestrate why \(name(cause, in: journal))"
                let lead = String(repeating: "   ", count: depth - 1)
                lines.append(palette.paint("              \(lead)\(rest)", .dim))
                break
            }
            lines.append(line(cause, in: journal, indent: depth, palette))
            current = cause
        }
        return lines
    }

    private static func line(_ step: TransitionRow, in journal: [TransitionRow], indent: Int, _ palette: Palette)
        -> String
    {
        let time = String(Timestamp(microseconds: step.atWall).description.dropFirst(11).prefix(12))
        let lead = indent == 0 ? "" : String(repeating: "   ", count: indent - 1) + "└─ "
        let states = "\(step.from.rawValue) → " + palette.paint(step.to.rawValue, palette.color(of: step.to))
        let who = indent == 0 ? "" : "\(name(step, in: journal)) "
        let cause = step.cause.isEmpty ? "" : "  \(step.cause.terminalSafe)"
        return "\(palette.paint(time, .dim))  \(lead)\(who)\(states)\(cause)  "
            + palette.paint("(by \(step.initiator.rawValue))", .dim)
    }

    private static func name(_ step: TransitionRow, in journal: [TransitionRow]) -> String {
        let hasReplicas = journal.contains { $0.sidecar == step.sidecar && $0.replica > 0 }
        return (hasReplicas ? "\(step.sidecar)/\(step.replica)" : step.sidecar).terminalSafe
    }

    private static func isAtRest(_ state: StateName) -> Bool {
        switch state {
        case .stopped, .completed, .healthy: true
        case .waiting, .starting, .unhealthy, .stopping, .backoff, .failed, .blocked, .scheduled: false
        }
    }
}
