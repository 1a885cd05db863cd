import Planning
import Reconciliation
import SidecarModel

/// The world's words, for reports.
extension World {
    func describe(_ index: InstanceIndex) -> String {
        guard slotAt.indices.contains(index.value), slotAt[index.value] >= 0 else { return "place \(index.value)" }
        return slots[slotAt[index.value]].label
    }

    func describe(_ input: Input) -> String {
        switch input {
        case .apply(let plan, let selection):
            "apply \(plan.sidecars.map(\.name).joined(separator: " ")), selection \(selection?.joined(separator: " ") ?? "all")"
        case .start(let names, let initiator): "start \(names.joined(separator: " ")) by \(initiator)"
        case .stop(let names, let scope, let initiator):
            "stop \(names.joined(separator: " ")), \(scope), by \(initiator)"
        case .restart(let names, let initiator): "restart \(names.joined(separator: " ")) by \(initiator)"
        case .run(let name): "run \(name)"
        case .shutdown(let initiator): "shutdown by \(initiator)"
        case .hurry(let hurry): "hurry: \(hurry)"
        case .spawned(let index, let incarnation, _): "spawned \(describe(index)) \(incarnation)"
        case .spawnFailed(let index, let incarnation, let failure):
            "spawn of \(describe(index)) \(incarnation) failed at \(failure.step)"
        case .hookFinished(let index, let incarnation, let event, let failure):
            "hook \(event.rawValue) of \(describe(index)) \(incarnation) \(failure ?? "succeeded")"
        case .probed(let index, let incarnation, let role, let outcome):
            "\(role) of \(describe(index)) \(incarnation): \(outcome)"
        case .startExtended(let index, let incarnation, let time):
            "start of \(describe(index)) \(incarnation) extended by \(time.shown)"
        case .exited(let index, let incarnation, let status, let conflict):
            "exited \(describe(index)) \(incarnation): \(status)\(conflict.map { ", \($0)" } ?? "")"
        case .emptied(let index, let incarnation): "emptied \(describe(index)) \(incarnation)"
        case .survived(let index, let incarnation, let survivors):
            "survived \(describe(index)) \(incarnation): \(survivors.count)"
        case .portMoved(let index, _): "port of \(describe(index)) moved"
        case .tick: "tick"
        }
    }

    func describe(_ effect: Effect) -> String {
        switch effect {
        case .spawn(let index, let incarnation): "spawn \(describe(index)) \(incarnation)"
        case .runHook(let index, let incarnation, let event, _):
            "hook \(event.rawValue) \(describe(index)) \(incarnation)"
        case .probe(let index, let incarnation, let role): "probe \(role) \(describe(index)) \(incarnation)"
        case .endProbes(let index, let incarnation): "end probes \(describe(index)) \(incarnation)"
        case .signal(let index, let incarnation, let signal, let target):
            "\(signal) to \(target) of \(describe(index)) \(incarnation)"
        case .clear(let index, let incarnation, let signal):
            "clear \(describe(index)) \(incarnation)\(signal.map { " with \($0)" } ?? "")"
        case .kill(let index, let incarnation): "kill \(describe(index)) \(incarnation)"
        case .inspect(let index, let incarnation): "inspect \(describe(index)) \(incarnation)"
        case .release(let index, let incarnation): "release \(describe(index)) \(incarnation)"
        case .retire(let index): "retire \(describe(index))"
        case .finish(let code): "finish with \(code)"
        }
    }
}
