import ControlAPI

/// What a manifest changed, in a line.
enum SummaryText {
    /// `2 new (db; web), 1 restarted (api: command), 1 started (cache), 4 unchanged`
    static func line(_ summary: ApplySummary) -> String {
        var parts: [String] = []
        for (action, word) in [
            (ApplySummary.Change.Action.create, "new"), (.restart, "restarted"), (.update, "updated in place"),
            (.scale, "scaled"), (.remove, "removed"),
        ] {
            let changes = summary.changes.filter { $0.action == action }
            guard !changes.isEmpty else { continue }
            let names = changes.prefix(4).map { change in
                change.keys.isEmpty || action == .create
                    ? change.sidecar : "\(change.sidecar): \(change.keys.joined(separator: ", "))"
            }
            let more = changes.count > names.count ? ", …" : ""
            parts.append("\(changes.count) \(word) (\(names.joined(separator: "; "))\(more))")
        }
        if !summary.started.isEmpty {
            let more = summary.started.count > 4 ? ", …" : ""
            parts.append(
                "\(summary.started.count) started (\(summary.started.prefix(4).joined(separator: "; "))\(more))")
        }
        if summary.unchanged > 0 { parts.append("\(summary.unchanged) unchanged") }
        return parts.isEmpty ? "nothing to do" : parts.joined(separator: ", ").terminalSafe
    }
}
