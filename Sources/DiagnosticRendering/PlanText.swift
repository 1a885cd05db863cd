package import Planning
import SidecarModel

/// The plan for people: what starts with what, and what each waits for.
package func planText(_ plan: Plan) -> String {
    var text =
        "project \(plan.project.name): \(count(plan.sidecars.count, "sidecar")) in \(count(plan.waves.count, "wave"))\n"
    for (number, wave) in plan.waves.enumerated() {
        text += "\nwave \(number + 1)\n"
        let width = wave.map { plan.sidecars[$0].name.utf8.count }.max() ?? 0
        for sidecar in wave {
            let spec = plan.sidecars[sidecar]
            var line = "  " + spec.name + String(repeating: " ", count: width - spec.name.utf8.count)
            line += "  \(spec.kind.rawValue)"
            if spec.replicas != 1 { line += " × \(spec.replicas)" }
            let waits = plan.edges[sidecar].map { edge in describe(edge, in: plan) }
            if !waits.isEmpty { line += "  after \(waits.joined(separator: ", "))" }
            text += line + "\n"
        }
    }
    return text
}

func describe(_ edge: Plan.Edge, in plan: Plan) -> String {
    var text = "\(plan.sidecars[edge.target].name) \(edge.condition.rawValue)"
    if let quorum = edge.quorum { text += " × \(quorum)" }
    if !edge.required { text += " (order only)" }
    return text
}

func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
