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
        /// What it has written last, in quotes, or nothing.
        var words = ""

        var isFailing: Bool { state == .failed || state == .backoff || state == .unhealthy }

        /// What goes on below it of the branches.
        var stem: String { String(prefix.dropLast(3)) + (prefix.hasSuffix("└─ ") ? "   " : "│  ") }

        /// At most.
        var height: Int { isFailing && !words.isEmpty ? 2 : 1 }
    }

    func lines(_ view: ProjectView, started: Timestamp, now: Timestamp, title: String) -> [String] {
        let rows = fitted(rows(view, now: now))
        let labels = rows.shown.map { $0.prefix + shortened($0.name, to: labelLimit - $0.prefix.count) }
        let width = labels.map(\.count).max() ?? 0
        var lines = [headline(view, title: title, elapsed: UnitText.duration(now - started))]
        for (row, label) in zip(rows.shown, labels) { lines += self.lines(row, label: label, width: width) }
        if rows.hidden > 0 { lines.append([("   … and \(rows.hidden) more", .dim)]) }
        // The cursor has the last row: one line more, and each frame would scroll the one before out of reach.
        return lines.prefix(max(1, terminal.rows - 1)).map { trimmed(painted($0)) }
    }

    /// One long name doesn't take the room of what all have to say.
    private var labelLimit: Int { max(12, terminal.columns / 3) }

    /// With its last words, on a line of their own where there is no room for a useful piece of them and they matter.
    private func lines(_ row: Row, label: String, width: Int) -> [Line] {
        let color = terminal.palette.color(of: row.state)
        let middle = pad(row.state.rawValue, 9) + "  " + pad(row.elapsed, 6)
        let room = terminal.columns - width - 2 - 2 - 9 - 2 - 6 - 2 - 1
        let gap = row.detail.isEmpty ? "" : "  "
        let hasRoom = room - row.detail.count - gap.count >= min(row.words.count, Self.usefulWidth)
        let below = !row.words.isEmpty && !hasRoom && row.isFailing
        let detail = row.detail + (row.words.isEmpty || below ? "" : gap + row.words)
        let line: Line = [
            (pad(label, width) + "  ", nil), (StateText.symbol(row.state), color), (" ", nil), (middle, color),
            (room > 8 && !detail.isEmpty ? "  " + String(detail.prefix(room)) : "", .dim),
        ]
        return below ? [line, [(row.stem + "  ", nil), (row.words, .dim)]] : [line]
    }

    /// Of somebody's last words.
    private static let usefulWidth = 30

    private func shown(of view: ProjectView) -> [InstanceReport] {
        guard let sidecars else { return view.instances }
        return view.instances.filter { sidecars.contains($0.sidecar) }
    }

    private typealias Line = [(text: String, color: Palette.Color?)]

    private func headline(_ view: ProjectView, title: String, elapsed: String) -> Line {
        let wanted = shown(of: view).filter(\.isWanted)
        let ready = wanted.filter(\.isReady).count
        let rest = "  \(title)  \(ready) of \(wanted.count) ready  \(elapsed)"
        let name = shortened(view.project.project.terminalSafe, to: terminal.columns - 1 - rest.count)
        return [(name, .bold), (rest, nil)]
    }

    /// With the end of it, by which names and paths differ. What has no room for that is cut with its line.
    private func shortened(_ text: String, to room: Int) -> String {
        text.count <= room || room < 2 ? text : "…" + text.suffix(room - 1)
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
        let line = lastLines[instance.name]?.cut(to: terminal.columns) ?? ""
        return Row(
            prefix: prefix, name: instance.name.terminalSafe, state: instance.state, isWanted: instance.isWanted,
            elapsed: UnitText.duration(max(.zero, now - instance.since)),
            detail: StateText.detail(of: instance, now: now).terminalSafe,
            words: line.isEmpty ? "" : "“\(line.terminalSafe)”")
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
        guard rows.reduce(0, { $0 + $1.height }) > room else { return (rows, 0) }
        let interesting = rows.filter { $0.state != .healthy && $0.state != .completed && $0.state != .stopped }
        var height = 0
        let shown = (interesting.isEmpty ? rows : interesting).prefix { row in
            defer { height += row.height }
            return height == 0 || height + row.height <= room
        }
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
