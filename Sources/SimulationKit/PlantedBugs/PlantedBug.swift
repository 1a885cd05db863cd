import Planning
import Reconciliation
import SidecarModel

/// A mistake the core might make, made at its boundary: what goes in, what comes out, or what is kept is changed as if
/// the core had it wrong, while the invariants judge by the truth. A simulation that finds none of these finds nothing.
package enum PlantedBug: String, CaseIterable, Sendable {
    // What the manifest says is overlooked.
    case forgetsDependencies = "dependencies are forgotten"
    case takesRequiredForOptional = "required dependencies are taken for order only"
    case takesOneForAll = "one healthy replica is taken for all of them"
    case ignoresParallelCap = "start.max_parallel is overlooked"
    case ignoresBudget = "restarts are not counted"
    case ignoresWindow = "restarts in a window are not counted"
    case restartsAgainstPolicy = "every end is followed by a restart"
    case skipsDelay = "a restart comes without delay"
    case ignoresPreStart = "pre_start hooks are not run"
    case ignoresReadiness = "being alive is taken for being ready"
    case trustsFirstSuccess = "the first success is enough"
    case ignoresGrace = "the grace period is overlooked"
    case waitsForEver = "start.timeout is overlooked"
    case letsTasksRun = "the timeout of tasks is overlooked"
    case probesTooOften = "the period of probes is overlooked"
    case missesEdits = "a changed command is taken for the old one"

    // What happened is misread.
    case acceptsStaleFacts = "facts of an earlier incarnation are taken for the current one's"
    case takesExitForEmpty = "the leader's exit is taken for the end of all its processes"
    case takesStuckForGone = "what SIGKILL could not end is taken for gone"
    case losesExits = "exits go unnoticed"
    case losesEmptied = "that nothing lives any more goes unnoticed"
    case losesHookAnswers = "the end of a hook goes unnoticed"
    case losesStopInBackoff = "a stop is overlooked while a restart is pending"
    case takesReadinessForLiveness = "who is not ready is ended"
    case restartsEverybody = "a restart of one is taken for a restart of all"
    case missesMoves = "that a port moved goes unnoticed"
    case losesTimers = "deadlines pass unnoticed"

    // What is done is wrong.
    case neverKills = "what outlives its grace is let live"
    case replacesAllAtOnce = "all instances of a sidecar are replaced at once"
    case forgetsDecisions = "what was decided is not kept"
    case killsAtOnce = "SIGKILL follows the stop signal at once"
    case stopsAllAtOnce = "a shutdown tells everybody at once"
    case probesTheDying = "what was told to stop is still probed"
    case releasesAtExit = "an incarnation is released at its leader's exit"
    case releasesTwice = "an incarnation is released twice"
    case forgetsRelease = "incarnations are never released"
    case signalsForebear = "the signal goes to the incarnation before"
    case finishesEarly = "the project is called finished while it stops"

    // What is kept is wrong.
    case spawnsTwiceOnAdoption = "what lives on is not found by the next supervisor"
    case losesRecordOfStart = "a start is not written down before it happens"
    case forgetsSuccess = "that a task succeeded is forgotten with the supervisor"
}

// MARK: - What goes in

extension PlantedBug {
    /// The plan as the mistaken core reads it.
    func plan(_ plan: Plan) -> Plan {
        var project = plan.project
        if self == .ignoresParallelCap { project.maxParallelStarts = nil }
        let sidecars = plan.sidecars.map { misread($0) }
        return (try? Plan(project: project, sidecars: sidecars)) ?? plan
    }

    private func misread(_ original: SidecarSpec) -> SidecarSpec {
        var spec = original
        switch self {
        case .forgetsDependencies: spec.dependencies = []
        case .takesRequiredForOptional:
            for edge in spec.dependencies.indices { spec.dependencies[edge].required = false }
        case .takesOneForAll: for edge in spec.dependencies.indices { spec.dependencies[edge].quorum = 1 }
        case .ignoresBudget: spec.restart.maxAttempts = 0
        case .ignoresWindow: if spec.restart.window != nil { spec.restart.maxAttempts = 0 }
        case .restartsAgainstPolicy:
            spec.restart.policy = .always
            spec.restart.noRestartCodes = []
        case .skipsDelay: spec.restart.delay = .zero
        case .ignoresPreStart: spec.hooks.removeAll { $0.event == .preStart }
        case .ignoresReadiness: spec.health.readiness = nil
        case .trustsFirstSuccess:
            spec.health.startup?.successThreshold = 1
            spec.health.readiness?.successThreshold = 1
        case .waitsForEver: spec.start.timeout = .zero
        case .letsTasksRun: spec.timeout = nil
        case .probesTooOften:
            spec.health.startup?.period = .milliseconds(1)
            spec.health.readiness?.period = .milliseconds(1)
            spec.health.liveness?.period = .milliseconds(1)
        case .missesEdits: spec.setFingerprint("command", 1, .restart)
        case .ignoresGrace:
            spec.stop.grace = .zero
            spec.stop.steps = []
        default: break
        }
        return spec
    }

    /// What the mistaken core takes an input for.
    func inputs(for input: Input, in world: World) -> [Input] {
        switch (self, input) {
        case (.acceptsStaleFacts, .exited(let index, _, let status, _)):
            return [.exited(index, world.currentIncarnation(at: index), status)]
        case (.acceptsStaleFacts, .emptied(let index, _)): return [.emptied(index, world.currentIncarnation(at: index))]
        case (.acceptsStaleFacts, .probed(let index, _, let role, let outcome)):
            return [.probed(index, world.currentIncarnation(at: index), role, outcome)]
        case (.takesExitForEmpty, .exited(let index, let incarnation, _, _)):
            return [input, .emptied(index, incarnation)]
        case (.takesStuckForGone, .survived(let index, let incarnation, _)): return [.emptied(index, incarnation)]
        case (.missesMoves, .portMoved), (.losesExits, .exited), (.losesEmptied, .emptied),
            (.losesHookAnswers, .hookFinished):
            return [.tick]
        case (.takesReadinessForLiveness, .probed(let index, let incarnation, .readiness, let outcome)):
            return [input, .probed(index, incarnation, .liveness, outcome)]
        case (.restartsEverybody, .restart(_, let initiator)):
            return [.restart(world.plan.sidecars.map(\.name), by: initiator)]
        case (.losesStopInBackoff, .stop(let names, let scope, let initiator)):
            let heard = names.filter { name in
                !world.slots.contains { $0.sidecar == name && $0.state == .backoff }
            }
            return [.stop(heard, scope: scope, by: initiator)]
        default: return [input]
        }
    }

    func deadline(_ deadline: Instant?) -> Instant? { self == .losesTimers ? nil : deadline }
}

// MARK: - What comes out

extension PlantedBug {
    func effects(for effects: [Effect], in world: World) -> [Effect] {
        switch self {
        case .stopsAllAtOnce where world.isShuttingDown: return effects + world.signalsToAll
        case .finishesEarly where world.isShuttingDown && effects.contains(where: \.isSignal):
            return effects + [.finish(code: 0)]
        case .replacesAllAtOnce:
            return effects + effects.flatMap { $0.isSignal ? world.signalsToSiblings(of: $0) : [] }
        default: return effects.flatMap { mistaken($0) }
        }
    }

    private func mistaken(_ effect: Effect) -> [Effect] {
        switch (self, effect) {
        case (.killsAtOnce, .signal(let index, let incarnation, _, _)): [effect, .kill(index, incarnation)]
        case (.probesTheDying, .signal(let index, let incarnation, _, _)):
            [effect, .probe(index, incarnation, .readiness)]
        case (.releasesAtExit, .clear(let index, let incarnation, _)): [effect, .release(index, incarnation)]
        case (.neverKills, .kill): []
        case (.releasesTwice, .release): [effect, effect]
        case (.forgetsRelease, .release): []
        case (.signalsForebear, .signal(let index, let incarnation, let signal, let target)):
            [.signal(index, Incarnation(incarnation.number &- 1), signal, target)]
        default: [effect]
        }
    }
}

// MARK: - What is kept

extension PlantedBug {
    func record(_ record: InstanceRecord, replacing old: InstanceRecord?) -> InstanceRecord? {
        switch self {
        case .losesRecordOfStart where record.state == .starting: return old
        case .forgetsSuccess where record.state == .completed:
            var forgetful = record
            forgetful.state = .waiting
            return forgetful
        default: return record
        }
    }

    func survival(_ survival: Survival, of record: InstanceRecord) -> Survival {
        if self == .spawnsTwiceOnAdoption, case .alive = survival { return .neverSpawned }
        return survival
    }
}

extension Effect {
    fileprivate var isSignal: Bool { if case .signal = self { true } else { false } }
}

extension World {
    fileprivate func currentIncarnation(at index: InstanceIndex) -> Incarnation {
        core.status(of: index)?.incarnation ?? Incarnation(0)
    }

    /// The stop signal for the other instances of the sidecar that is told to stop.
    fileprivate func signalsToSiblings(of effect: Effect) -> [Effect] {
        guard case .signal(let index, _, let signal, let target) = effect,
            let told = slots.first(where: { $0.index == index })
        else { return [] }
        return slots.compactMap { slot in
            guard slot.sidecar == told.sidecar, slot.replica != told.replica, let index = slot.index,
                let life = slot.life, slot.state.isAlive, lives[life].runsAsTold
            else { return nil }
            return .signal(index, lives[life].incarnation, signal, target)
        }
    }

    /// The stop signal for everything that runs and was not told to stop.
    fileprivate var signalsToAll: [Effect] {
        slots.compactMap { slot in
            guard let index = slot.index, let life = slot.life, lives[life].runsAsTold, lives[life].leaderIsAlive,
                lives[life].stopBegan == nil
            else { return nil }
            return .signal(index, lives[life].incarnation, .terminate, .leader)
        }
    }
}
