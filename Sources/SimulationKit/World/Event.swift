import Reconciliation
import SidecarModel

/// What is going to happen in the world.
enum Event: Sendable {
    /// - Parameter supervisor: the one it was meant for; a later one finds out by itself.
    case fact(LifeID, Fact, supervisor: Int)
    /// A fact the core was told before, told again.
    case repeated(LifeID, Fact)
    case leaderExits(LifeID, ExitStatus, isFault: Bool)
    case childrenExit(LifeID)
    case portMoves(LifeID)
    /// It says itself that it is ready: by a line of its log, or a notification.
    case pushes(LifeID, ProbeRole)
    case operatorActs
    case supervisorReturns
}

/// What the core is told of one life.
enum Fact: Sendable {
    case spawned
    case spawnFailed
    case hookFinished(HookEvent, failed: Bool)
    case probed(ProbeRole, ProbeAnswer, generation: Int)
    case startExtended
    case exited
    case emptied
    case survived
}

extension Life {
    func input(for fact: Fact, at index: InstanceIndex, _ rules: Rules) -> Input {
        switch fact {
        case .spawned: return .spawned(index, incarnation, Spawned(pid: rules.isDoor ? nil : pid))
        case .spawnFailed:
            return .spawnFailed(
                index, incarnation, SpawnFailure(step: spawnFailure ?? .execute, message: "no such file", errno: 2))
        case .hookFinished(let event, let failed):
            return .hookFinished(index, incarnation, event, failure: failed ? "exit 1" : nil)
        case .probed(let role, let answer, _): return .probed(index, incarnation, role, answer.outcome)
        case .startExtended: return .startExtended(index, incarnation, .seconds(2))
        case .exited:
            // Of a start that fails with code 1 another process had the port: to the core it is an end like any other.
            return .exited(index, incarnation, exit, portConflict: exit == .code(1) ? "port 1 is taken" : nil)
        case .emptied: return .emptied(index, incarnation)
        case .survived:
            let survivors = isEmpty && !wasToldStuck ? [] : [Survivor(pid: pid, state: "D", waitChannel: "wait")]
            return .survived(index, incarnation, survivors)
        }
    }
}
