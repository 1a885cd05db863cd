import ControlAPI
import SidecarModel

/// `orchestrate status`: what is, a line each, and below it what needs a sentence.
enum StatusTable {
    static func lines(_ project: ProjectReport, now: Timestamp, palette: Palette) -> [String] {
        header(project, now: now, palette: palette) + [""] + table(project, now: now).lines(palette)
            + remarks(project, now: now, palette: palette)
    }

    /// As much of it as a terminal shows that is drawn over in place. Those that are well are left out first.
    static func lines(_ project: ProjectReport, now: Timestamp, fitting terminal: Terminal) -> [String] {
        // The cursor has the last row, and what is erased behind a line is not its last letter.
        shown(of: project, now: now, terminal.palette, rows: max(1, terminal.rows - 1))
            .map { $0.fitted(to: terminal.columns - 1) }
    }

    private static func shown(of project: ProjectReport, now: Timestamp, _ palette: Palette, rows: Int) -> [String] {
        let all = lines(project, now: now, palette: palette)
        guard all.count > rows else { return all }
        let header = header(project, now: now, palette: palette)
        let top = rows < 12 ? Array(header.prefix(1)) : header + [""]
        let remarks = remarks(project, now: now, palette: palette)
        // Besides the titles, and the line that says how many are not shown.
        let room = max(1, rows - top.count - 2)
        var part = project
        part.sidecars = worst(project.sidecars, count: max(1, room - min(remarks.count, room / 3)))
        let remarked = remarks.prefix(room - part.sidecars.count)
        let hidden = project.sidecars.count - part.sidecars.count
        guard hidden > 0 || remarked.count < remarks.count else {
            return Array(top + table(part, now: now).lines(palette) + remarked)
        }
        let rest = hidden > 0 ? "… \(hidden) more are not shown" : "… \(remarks.count - remarked.count) more lines"
        let body = top + table(part, now: now).lines(palette) + remarked
        return body.prefix(rows - 1) + [palette.paint(rest, .dim)]
    }

    /// In their order.
    private static func worst(_ instances: [InstanceReport], count: Int) -> [InstanceReport] {
        func isWell(_ instance: InstanceReport) -> Bool {
            instance.state == .healthy || instance.state == .completed || instance.state == .stopped
        }
        var roomForWell = max(0, count - instances.filter { !isWell($0) }.count)
        let chosen = instances.filter { instance in
            guard isWell(instance) else { return true }
            roomForWell -= 1
            return roomForWell >= 0
        }
        return Array(chosen.prefix(count))
    }

    private static func header(_ project: ProjectReport, now: Timestamp, palette: Palette) -> [String] {
        let healthy = project.sidecars.filter(\.isReady).count
        let wanted = project.sidecars.filter(\.isWanted).count
        let phase =
            switch project.phase {
            case .running: "\(healthy) of \(wanted) healthy or completed"
            case .stopping: "stopping"
            case .stopped: "not running; last known states"
            case .unsupervised: "not supervised; last known states"
            case .supervisorBroken: "supervisor-broken; last known states"
            }
        var facts = [phase]
        if let containment = project.containment { facts.append("containment \(containment.sentence)") }
        if let lease = project.lease { facts.append("ends with pid \(lease.client.pid)") }
        return [
            palette.paint(project.project.terminalSafe, .bold) + "  " + facts.joined(separator: "  ·  ").terminalSafe,
            palette.paint(project.manifest.terminalSafe, .dim),
        ] + project.warnings.map { palette.paint("warning: \($0.terminalSafe)", .yellow) }
    }

    private static func table(_ project: ProjectReport, now: Timestamp) -> Table {
        var table = Table(
            "NAME", "STATE", "HEALTH", "PID", "ADDRESS", "UPTIME", "RESTARTS", "LAST EXIT", "CPU", "MEMORY")
        let palette = Palette(isOn: true)
        for instance in project.sidecars {
            let uptime = instance.pid == nil ? nil : instance.startedAt.map { UnitText.duration(now - $0) }
            table.rows.append([
                .init(instance.name), .init(instance.state.rawValue, palette.color(of: instance.state)),
                .init(health(instance)), .init(instance.pid.map(String.init) ?? "-"), .init(addresses(instance)),
                .init(uptime ?? "-"), .init(String(instance.restartsTotal)),
                .init(instance.lastExit?.sentence ?? "-"),
                .init(instance.usage.map { UnitText.duration(.milliseconds($0.cpuMilliseconds)) } ?? "-"),
                .init(instance.usage.map { UnitText.bytes($0.memoryBytes) } ?? "-"),
            ])
        }
        return table
    }

    private static func health(_ instance: InstanceReport) -> String {
        switch instance.health {
        case .none: "-"
        case .healthy: instance.isUnverified ? "unverified" : "healthy"
        case .starting, .unhealthy: instance.health.rawValue
        }
    }

    private static func addresses(_ instance: InstanceReport) -> String {
        guard !instance.ports.isEmpty else { return "-" }
        return instance.ports.map { $0.url ?? $0.address }.joined(separator: " ")
    }

    /// What doesn't speak for itself in the table.
    private static func remarks(_ project: ProjectReport, now: Timestamp, palette: Palette) -> [String] {
        let lines = project.sidecars.compactMap { instance -> String? in
            switch instance.state {
            case .healthy where !instance.isUnverified && instance.isRestartHalted != true, .completed, .stopped:
                return nil
            case .waiting, .starting, .healthy, .unhealthy, .stopping, .backoff, .failed, .blocked, .scheduled: break
            }
            let detail = StateText.detail(of: instance, now: now)
            guard !detail.isEmpty else { return nil }
            let color = palette.color(of: instance.state)
            return "\(palette.paint(instance.name.terminalSafe, color)): \(detail.terminalSafe)"
        }
        let all = lines + project.sidecars.compactMap(clients)
        return all.isEmpty ? [] : [""] + all
    }

    private static func clients(_ instance: InstanceReport) -> String? {
        guard let clients = instance.clients, !clients.isEmpty else { return nil }
        let list = clients.map { client in
            let pid = client.pid.map { "pid \($0)" } ?? "pid unknown"
            return client.processID.map { "\(pid) by \($0)" } ?? pid
        }
        let count = clients.count == 1 ? "1 client" : "\(clients.count) clients"
        return "\(instance.name.terminalSafe): \(count): \(list.joined(separator: ", "))"
    }
}
