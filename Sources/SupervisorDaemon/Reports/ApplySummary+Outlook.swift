import ControlAPI
import Planning
import Reconciliation
import SidecarModel

extension ApplySummary {
    /// What the apply does, which is not all that the manifest changed: who was not restarted for an earlier change is now,
    /// and who is to be again as it runs is not.
    /// - Parameters:
    ///   - restarted: who gets a new life by it, be it for what others changed.
    ///   - idle: what was not running.
    ///   - reconciler: after the apply, before anything comes of it.
    init(
        _ difference: PlanDifference, of plan: Plan, names: [String], restarted: Set<String>, idle: Set<String>,
        by reconciler: Reconciler
    ) {
        let isWanted = names.isEmpty ? plan.sidecars.map { _ in true } : plan.closure(of: names)
        let wanted = plan.sidecars.indices.filter { isWanted[$0] }.map { plan.sidecars[$0].name }
        let selected = names.isEmpty ? nil : Set(wanted)
        var changes: [Change] = []
        var started: [String] = []
        var unchanged = 0
        for entry in difference.entries where selected?.contains(entry.sidecar) ?? true {
            let outlook = reconciler.outlook(for: entry.sidecar)
            let change = Change(entry, isRestarted: restarted.contains(entry.sidecar), outlook: outlook)
            if let change { changes.append(change) }
            // What completed is idle too, and stays so unless its policy has it run again.
            let isStarted = idle.contains(entry.sidecar) && outlook != .keeps
            if isStarted, change?.leavesStartUntold ?? true {
                started.append(entry.sidecar)
            } else if change == nil {
                unchanged += 1
            }
        }
        self.init(changes: changes, started: started, unchanged: unchanged, wanted: wanted)
    }
}

extension ApplySummary.Change {
    /// It says nothing of a start: one that comes with it is to be told besides.
    fileprivate var leavesStartUntold: Bool {
        switch action {
        case .update: true
        case .create, .restart, .scale, .remove: false
        }
    }

    /// Nil: nothing is done to it.
    fileprivate init?(_ entry: PlanDifference.Entry, isRestarted: Bool, outlook: Outlook) {
        let sidecar = entry.sidecar
        switch (entry.action, outlook) {
        case (.create, _): self.init(sidecar: sidecar, action: .create)
        case (.remove, _): self.init(sidecar: sidecar, action: .remove)
        case (.scale, _): self.init(sidecar: sidecar, action: .scale, keys: ["replicas"])
        case (.restart, .keeps): return nil
        case (.restart(let keys), .starts): self.init(sidecar: sidecar, action: .restart, keys: keys)
        case (.restart(let keys), .restarts(let changed, let isDead)):
            self.init(
                sidecar: sidecar, action: .restart,
                keys: (changed.isEmpty ? keys : changed) + (isDead ? ["addresses"] : []))
        case (.updateInPlace, .restarts(let changed, let isDead)) where isRestarted,
            (.unchanged, .restarts(let changed, let isDead)) where isRestarted:
            self.init(sidecar: sidecar, action: .restart, keys: changed + (isDead ? ["addresses"] : []))
        case (.updateInPlace(let keys), _): self.init(sidecar: sidecar, action: .update, keys: keys)
        case (.unchanged, _): return nil
        }
    }
}
