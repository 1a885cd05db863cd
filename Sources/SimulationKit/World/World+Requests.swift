import Planning
package import Reconciliation
import SidecarModel

/// What people ask, and what the invariants remember of it.
extension World {
    package mutating func request(_ input: Input) throws(InvariantBroken) {
        guard supervisor == .running, finished == nil else { return }
        switch input {
        case .apply(let newPlan, let selection):
            plan = newPlan
            isShuttingDown = false
            endsWithPrimary = false
            hurry = nil
            mapRules()
            askFor(selection)
            demand(selection)
            var seen = input
            if let bug { seen = .apply(bug.plan(newPlan), selection: selection) }
            return try deliver(seen, to: nil)
        case .start, .restart, .run: if !isShuttingDown { noteStartRequest(input) }
        case .stop(let names, let scope, _): forbid(names, scope: scope)
        case .shutdown:
            noteShutdown()
        case .hurry(let hurry): self.hurry = self.hurry.map { max($0, hurry) } ?? hurry
        case .spawned, .spawnFailed, .hookFinished, .probed, .startExtended, .exited, .emptied, .survived, .portMoved,
            .tick:
            break
        }
        try deliver(input, to: nil)
    }

    private mutating func noteStartRequest(_ input: Input) {
        switch input {
        case .start(let names, _): askFor(names)
        case .restart(let names, _):
            askFor(names)
            letRunAgain(of: names)
            for slot in slots.indices where slots[slot].isNamed(by: names) {
                slots[slot].mayBeReplaced = true
                slots[slot].isAskedToRestart = true
            }
        case .run(let name):
            askFor([name])
            letRunAgain(of: [name])
        default: break
        }
    }

    private mutating func noteShutdown() {
        isShuttingDown = true
        for slot in slots.indices {
            slots[slot].mayNotStart = true
            slots[slot].isAskedToRestart = false
            slots[slot].succeeded = nil
        }
    }

    /// What is selected, and all it requires, is to run by what is declared now.
    private mutating func demand(_ selection: [String]?) {
        var wanted = Set(selection ?? plan.sidecars.map(\.name))
        for sidecar in plan.order.reversed() where wanted.contains(plan.sidecars[sidecar].name) {
            for edge in plan.edges[sidecar] where edge.required { wanted.insert(plan.sidecars[edge.target].name) }
        }
        for slot in slots.indices where slots[slot].isDeclared && wanted.contains(slots[slot].sidecar) {
            slots[slot].demanded = slots[slot].rules.fingerprint
            let runs = slots[slot].life.map { lives[$0].fingerprint }
            // What is not to be replaced lives on by the limits of now.
            if let life = slots[slot].life, runs == slots[slot].rules.fingerprint {
                lives[life].limits.change(to: slots[slot].rules, in: slots[slot].state)
            }
            slots[slot].mayBeReplaced =
                runs != slots[slot].rules.fingerprint || slots[slot].holdsDeadAddress || slots[slot].isAskedToRestart
        }
    }

    /// The core takes the project down by itself: only a primary's end is a reason.
    mutating func noteEndOfPrimary() {
        guard slots.contains(where: \.isPrimaryAtItsEnd) else { return }
        endsWithPrimary = true
        primaryEndedAt = now
        noteShutdown()
    }

    /// Those named, and all they depend on, may start again. Nil is all.
    private mutating func askFor(_ names: [String]?) {
        let names = names ?? plan.sidecars.map(\.name)
        let named = slots.indices.filter { slots[$0].isDeclared && slots[$0].isNamed(by: names) }
        var roots = Set(names + named.map { slots[$0].sidecar })
        var needed: Set<String> = []
        for sidecar in plan.order.reversed() where roots.contains(plan.sidecars[sidecar].name) {
            for edge in plan.edges[sidecar] {
                roots.insert(plan.sidecars[edge.target].name)
                needed.insert(plan.sidecars[edge.target].name)
            }
        }
        for slot in named { slots[slot].ask() }
        for slot in slots.indices where slots[slot].isDeclared && needed.contains(slots[slot].sidecar) {
            slots[slot].ask()
        }
    }

    private mutating func letRunAgain(of names: [String]) {
        for slot in slots.indices where slots[slot].isNamed(by: names) {
            slots[slot].mayRunAgain = true
        }
    }

    private mutating func forbid(_ names: [String], scope: StopScope) {
        let named = slots.indices.filter { slots[$0].isDeclared && slots[$0].isNamed(by: names) }
        var leaving = Set(named.map { slots[$0].sidecar })
        var followers: Set<String> = []
        if scope == .cascade {
            for sidecar in plan.order
            where leaving.contains(plan.sidecars[sidecar].name) && !groups[sidecar].isEmpty {
                for dependent in plan.dependents[sidecar]
                where plan.edges[dependent].contains(where: { $0.target == sidecar && $0.required }) {
                    leaving.insert(plan.sidecars[dependent].name)
                    followers.insert(plan.sidecars[dependent].name)
                }
            }
        }
        for slot in slots.indices
        where named.contains(slot) && !slots[slot].isDone
            || slots[slot].isDeclared && followers.contains(slots[slot].sidecar) && slots[slot].state != .completed
        {
            slots[slot].mayNotStart = true
            slots[slot].isAskedToRestart = false
            slots[slot].succeeded = nil
        }
    }

    /// Reads the rules of the plan, and makes a slot for each instance it declares.
    mutating func mapRules() {
        for slot in slots.indices { slots[slot].isDeclared = false }
        groups = []
        for (position, sidecar) in plan.sidecars.enumerated() {
            let rules = Rules(sidecar, edges: plan.edges[position], of: plan)
            var members: [Int] = []
            for replica in 0..<sidecar.replicas {
                let slot = slotFor(sidecar.name, replica)
                if slots[slot].health != sidecar.health {
                    // What the old probes said holds until the new ones say something else.
                    slots[slot].health = sidecar.health
                    if let life = slots[slot].life {
                        lives[life].health.holdsAnyway = true
                        announce(life, rules)
                    }
                }
                slots[slot].isDeclared = true
                slots[slot].rules = rules
                if let life = slots[slot].life {
                    lives[life].grace = min(lives[life].grace, rules.grace)
                    lives[life].longestStop = max(lives[life].longestStop, rules.longestStop)
                }
                members.append(slot)
            }
            groups.append(members)
        }
        for slot in slots.indices where !slots[slot].isDeclared { noteRemoval(slot) }
        mapDependents()
    }

    private mutating func noteRemoval(_ slot: Int) {
        slots[slot].mayNotStart = true
        slots[slot].isAskedToRestart = false
        slots[slot].succeeded = nil
        // One replica too many leaves as its sidecar is declared now.
        guard let position = plan.sidecars.firstIndex(where: { $0.name == slots[slot].sidecar }) else { return }
        slots[slot].rules.edges = Rules(plan.sidecars[position], edges: plan.edges[position], of: plan).edges
    }

    /// What is no longer declared still leaves before what it depended on.
    mutating func mapDependents() {
        dependents = [[Int]](repeating: [], count: slots.count)
        for slot in slots.indices {
            for edge in slots[slot].rules.edges {
                for target in slots.indices where slots[target].sidecar == edge.sidecar {
                    dependents[target].append(slot)
                }
            }
        }
    }

    private mutating func slotFor(_ sidecar: String, _ replica: Int) -> Int {
        let name = "\(sidecar)/\(replica)"
        if let slot = slotNamed[name] { return slot }
        slots.append(Slot(sidecar: sidecar, replica: replica))
        slotNamed[name] = slots.count - 1
        return slots.count - 1
    }

    /// Learns the places the core gave to its instances.
    mutating func mapSlots() {
        if groups.count != plan.sidecars.count { mapRules() }
        for index in core.instances {
            guard let status = core.status(of: index) else { continue }
            let slot = slotFor(status.sidecar, status.replica)
            if slot >= dependents.count { dependents.append([]) }
            while slotAt.count <= index.value { slotAt.append(-1) }
            if slotAt[index.value] != slot {
                slotAt[index.value] = slot
                slots[slot].index = index
            }
        }
    }
}
