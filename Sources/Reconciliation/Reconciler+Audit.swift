package import SidecarModel

/// What must be true of the reconciler between two turns, whatever happened: for tests and the simulation.
extension Reconciler {
    /// What a look at every instance would still do or say after `reconcile`: who was overlooked when something changed.
    package func overlooked(at now: Instant) -> (effects: [Effect], transitions: [Transition]) {
        var copy = self
        _ = copy.takeTransitions()
        for slot in slots.indices where !slots[slot].isRetired { copy.touch(slot) }
        let effects = copy.reconcile(at: now)
        return (effects, copy.takeTransitions())
    }

    /// The counts that are kept up to date change by change, and are not what counting anew gives.
    package var miscounts: [String] {
        var wrong: [String] = []
        func compare(_ kept: Int, _ counted: Int, _ what: String) {
            if kept != counted { wrong.append("\(what): \(kept), counted \(counted)") }
        }
        let there = slots.filter { !$0.isRetired }
        compare(lives, there.count { !$0.isGone }, "lives")
        compare(leavingLives, there.count { !$0.isGone && !$0.isDeclared }, "lives that are not declared")
        compare(leavers, there.count(where: \.isLeaving), "instances on their way out")
        compare(replacements, there.count { $0.isToBeReplaced }, "instances to be replaced")
        compare(replacementsUnderWay, there.count(where: \.isBeingReplaced), "replacements under way")
        compare(halts, there.count(where: \.isRestartHalted), "halted replacements")
        compare(starts, there.count { $0.isStarting }, "starts")
        for group in groups {
            let members = group.instances.map { slots[$0] }
            compare(group.started, members.count { $0.levels.contains(.started) }, "\(group.name) started")
            compare(group.healthy, members.count { $0.levels.contains(.healthy) }, "\(group.name) healthy")
            compare(group.succeeded, members.count { $0.levels.contains(.succeeded) }, "\(group.name) succeeded")
            compare(group.completed, members.count { $0.levels.contains(.completed) }, "\(group.name) completed")
            let unsettled = members.reduce(0) { $0 + $1.openReplacements }
            compare(group.unsettled, unsettled, "replacements of \(group.name)")
        }
        return wrong
    }
}
