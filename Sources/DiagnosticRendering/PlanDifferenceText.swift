package import Planning

/// What applying a manifest does, a line for each sidecar that is touched.
package func differenceText(_ difference: PlanDifference) -> String {
    let touched = difference.entries.filter { $0.action != .unchanged }
    guard !touched.isEmpty else { return "nothing to change\n" }
    let width = touched.map { $0.sidecar.utf8.count }.max() ?? 0
    var text = ""
    for entry in touched {
        let name = entry.sidecar + String(repeating: " ", count: width - entry.sidecar.utf8.count)
        switch entry.action {
        case .create: text += "+ \(name)  start\n"
        case .restart(let changed): text += "~ \(name)  restart: \(changed.joined(separator: ", ")) changed\n"
        case .updateInPlace(let changed):
            text += "~ \(name)  update without a restart: \(changed.joined(separator: ", ")) changed\n"
        case .scale(let from, let to): text += "~ \(name)  scale from \(from) to \(to)\n"
        case .remove: text += "- \(name)  stop and remove\n"
        case .unchanged: break
        }
    }
    return text + "\n" + summary(of: touched, unchanged: difference.entries.count - touched.count) + "\n"
}

private func summary(of entries: [PlanDifference.Entry], unchanged: Int) -> String {
    var created = 0
    var restarted = 0
    var updated = 0
    var removed = 0
    for entry in entries {
        switch entry.action {
        case .create: created += 1
        case .restart: restarted += 1
        case .updateInPlace, .scale: updated += 1
        case .remove: removed += 1
        case .unchanged: break
        }
    }
    return
        "\(created) to start, \(restarted) to restart, \(updated) to update, \(removed) to remove, \(unchanged) unchanged"
}

/// The same for programs: `{ "changes": true, "sidecars": [ { "name": "…", "action": "restart", "changed": ["env"] } ] }`.
/// Actions are `create`, `restart`, `update`, `scale` (with `from` and `to`), `remove` and `unchanged`.
package func differenceJSON(_ difference: PlanDifference) -> String {
    JSONValue.object([
        "changes": .bool(!difference.isEmpty),
        "sidecars": .array(difference.entries.map(JSONValue.init)),
    ]).text()
}

extension JSONValue {
    fileprivate init(_ entry: PlanDifference.Entry) {
        let name = JSONValue.string(entry.sidecar)
        self =
            switch entry.action {
            case .create: .object(["name": name, "action": "create"])
            case .restart(let changed):
                .object(["name": name, "action": "restart", "changed": .array(changed.map { .string($0) })])
            case .updateInPlace(let changed):
                .object(["name": name, "action": "update", "changed": .array(changed.map { .string($0) })])
            case .scale(let from, let to):
                .object(["name": name, "action": "scale", "from": .int(from), "to": .int(to)])
            case .remove: .object(["name": name, "action": "remove"])
            case .unchanged: .object(["name": name, "action": "unchanged"])
            }
    }
}
