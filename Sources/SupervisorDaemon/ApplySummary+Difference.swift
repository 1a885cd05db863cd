import ControlAPI
import Planning
import SidecarModel

extension ApplySummary {
    /// - Parameters:
    ///   - restarted: also those that hold addresses which are others now.
    ///   - idle: what was not running.
    init(
        _ difference: PlanDifference, of plan: Plan, names: [String], restarted: Set<String>, idle: Set<String>
    ) {
        let isWanted = names.isEmpty ? plan.sidecars.map { _ in true } : plan.closure(of: names)
        let wanted = plan.sidecars.indices.filter { isWanted[$0] }.map { plan.sidecars[$0].name }
        let selected = names.isEmpty ? nil : Set(wanted)
        var changes: [Change] = []
        var started: [String] = []
        var unchanged = 0
        for entry in difference.entries where selected?.contains(entry.sidecar) ?? true {
            switch entry.action {
            case .create: changes.append(Change(sidecar: entry.sidecar, action: .create))
            case .restart(let keys): changes.append(Change(sidecar: entry.sidecar, action: .restart, keys: keys))
            case .updateInPlace where restarted.contains(entry.sidecar),
                .unchanged where restarted.contains(entry.sidecar):
                changes.append(Change(sidecar: entry.sidecar, action: .restart, keys: ["addresses"]))
            case .updateInPlace(let keys): changes.append(Change(sidecar: entry.sidecar, action: .update, keys: keys))
            case .scale: changes.append(Change(sidecar: entry.sidecar, action: .scale, keys: ["replicas"]))
            case .remove: changes.append(Change(sidecar: entry.sidecar, action: .remove))
            case .unchanged where idle.contains(entry.sidecar): started.append(entry.sidecar)
            case .unchanged: unchanged += 1
            }
        }
        self.init(changes: changes, started: started, unchanged: unchanged, wanted: wanted)
    }
}
