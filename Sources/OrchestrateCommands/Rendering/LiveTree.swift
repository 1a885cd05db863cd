import ControlAPI
import SidecarModel

/// The project as a tree that fits the terminal: the project, its sidecars, and the replicas of those that have some.
struct LiveTree {
    var terminal: Terminal
    /// The last line each of those that fail has written.
    var lastLines: [String: String] = [:]
    /// The only sidecars it is about. Nil: all.
    var sidecars: Set<String>?

    private struct Row {
        var prefix: String
        var name: String
        var state: StateName
        var isWanted: Bool
        var elapsed: String
        var detail: String
    }

    func lines(_ view: ProjectView, started: Timestamp, now: Timestamp, title: String) -> [String] {
        let palette = terminal.palette
        let rows = fitted(rows(view, now: now))
        let labelRoom = terminal.columns - 2 - 2 - 9 - 2 - 6 - 1
        let labels = rows.shown.map { $0.prefix + shortened($0.name, to: labelRoom - $0.prefix.count) }
        let width = labels.map(\.count).max() ?? 0
        var lines = [headline(view, title: title, elapsed: UnitText.duration(now - started))]
        for (row, label) in zip(rows.shown, labels) {
            let color = palette.color(of: row.state)
            let middle = pad(row.state.rawValue, 9) + "  " + pad(row.elapsed, 6)
            let room = terminal.columns - width - 2 - 2 - 9 - 2 - 6 - 2 - 1
            let detail = room > 8 && !row.detail.isEmpty ? "  " + String(row.detail.prefix(room)) : ""
            lines.append([
                (pad(label, width) + "  ", nil), (StateText.symbol(row.state), color), (" ", nil), (middle, color),
                (detail, .dim),
            ])
        }
        if rows.hidden > 0 { lines.append([("   … and \(rows.hidden) more", .dim)]) }
        // The cursor has the last row: one line more, and each frame would scroll the one before out of reach.
        return lines.prefix(max(1, terminal.rows - 1)).map { trimmed(painted($0)) }
    }

    private func shown(of view: ProjectView) -> [InstanceReport] {
        guard let sidecars else { return view.instances }
        return view.instances.filter { sidecars.contains($0.sidecar) }
    }

    private typealias Line = [(text: String, color: Palette.Color?)]

    private func headline(_ view: ProjectView, title: String, elapsed: String) -> Line {
        let wanted = shown(of: view).filter(\.isWanted)
        let ready = wanted.filter { $0.state == .healthy || $0.state == .completed }.count
        let rest = "  \(title)  \(ready) of \(wanted.count) ready  \(elapsed)"
        let name = shortened(view.project.project.terminalSafe, to: terminal.columns - 1 - rest.count)
        return [(name, .bold), (rest, nil)]
    }

    /// With the end of it, by which names and paths differ. What has no room for that is cut with its line.
    private func shortened(_ text: String, to room: Int) -> String {
        text.count <= room || room < 8 ? text : "…" + text.suffix(room - 1)
    }

    /// No wider than the terminal: a line that wraps is two, and the next frame would leave one of them behind.
    private func painted(_ line: Line) -> String {
        var room = terminal.columns - 1
        var text = ""
        for piece in line {
            let shown = piece.text.prefix(max(0, room))
            room -= shown.count
            text += terminal.palette.paint(String(shown), piece.color)
        }
        return text
    }

    private func rows(_ view: ProjectView, now: Timestamp) -> [Row] {
        let groups = shown(of: view).reduce(into: [[InstanceReport]]()) { groups, instance in
            if groups.last?.first?.sidecar == instance.sidecar {
                groups[groups.count - 1].append(instance)
            } else {
                groups.append([instance])
            }
        }
        return groups.enumerated().flatMap { number, group in
            let isLast = number == groups.count - 1
            let branch = isLast ? "└─ " : "├─ "
            if group.count == 1, let only = group.first { return [row(only, prefix: branch, now: now)] }
            let stem = isLast ? "   " : "│  "
            let sidecar = group[0]
            let summary = Row(
                prefix: branch, name: sidecar.sidecar.terminalSafe, state: worst(group), isWanted: sidecar.isWanted,
                elapsed: "", detail: "\(group.filter { $0.state == .healthy }.count) of \(group.count) healthy")
            return [summary]
                + group.enumerated().map { position, instance in
                    row(instance, prefix: stem + (position == group.count - 1 ? "└─ " : "├─ "), now: now)
                }
        }
    }

    private func row(_ instance: InstanceReport, prefix: String, now: Timestamp) -> Row {
        var detail = StateText.detail(of: instance, now: now)
        if let line = lastLines[instance.name], !line.isEmpty {
            detail += detail.isEmpty ? "“\(line)”" : "  “\(line)”"
        }
        return Row(
            prefix: prefix, name: instance.name.terminalSafe, state: instance.state, isWanted: instance.isWanted,
            elapsed: UnitText.duration(max(.zero, now - instance.since)), detail: detail.terminalSafe)
    }

    /// The state of a group is that of the one furthest from well.
    private func worst(_ group: [InstanceReport]) -> StateName {
        let order: [StateName] = [
            .failed, .blocked, .backoff, .unhealthy, .stopping, .waiting, .starting, .scheduled, .stopped, .completed,
            .healthy,
        ]
        return order.first { state in group.contains { $0.state == state } } ?? .stopped
    }

    /// What doesn't fit is left out, the ones that are well first.
    private func fitted(_ rows: [Row]) -> (shown: [Row], hidden: Int) {
        let room = max(1, terminal.rows - 3)
        guard rows.count > room else { return (rows, 0) }
        let interesting = rows.filter { $0.state != .healthy && $0.state != .completed && $0.state != .stopped }
        let shown = (interesting.isEmpty ? rows : interesting).prefix(room)
        return (Array(shown), rows.count - shown.count)
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func trimmed(_ line: String) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return line
    }
}
