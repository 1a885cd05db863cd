package import Planning
import SidecarModel

/// The graph for Graphviz. Arrows lead from a dependency to whom it holds back.
package func planDOT(_ plan: Plan) -> String {
    var text = "digraph \(quoted(plan.project.name)) {\n  rankdir=LR;\n  node [shape=box];\n"
    for spec in plan.sidecars {
        let shape =
            switch spec.kind {
            case .service: "box"
            case .task: "ellipse"
            case .external: "cylinder"
            }
        text += "  \(quoted(spec.name)) [shape=\(shape)\(label(of: spec))];\n"
    }
    for (sidecar, edges) in plan.edges.enumerated() {
        for edge in edges {
            let style = edge.required ? "" : ", style=dashed"
            text += "  \(quoted(plan.sidecars[edge.target].name)) -> \(quoted(plan.sidecars[sidecar].name))"
            text += " [label=\(quoted(edge.condition.rawValue))\(style)];\n"
        }
    }
    return text + "}\n"
}

private func label(of spec: SidecarSpec) -> String {
    spec.replicas == 1 ? "" : ", label=\(quoted("\(spec.name) × \(spec.replicas)"))"
}

private func quoted(_ text: String) -> String {
    var quoted = "\""
    for character in text {
        if character == "\"" || character == "\\" { quoted.append("\\") }
        quoted.append(character)
    }
    return quoted + "\""
}

/// The graph for Mermaid, as Markdown viewers draw it. Nodes are numbered, since names may be Mermaid's own words.
package func planMermaid(_ plan: Plan) -> String {
    var text = "flowchart LR\n"
    for (number, spec) in plan.sidecars.enumerated() {
        let label = spec.replicas == 1 ? spec.name : "\(spec.name) × \(spec.replicas)"
        switch spec.kind {
        case .service: text += "  s\(number)[\"\(label)\"]\n"
        case .task: text += "  s\(number)([\"\(label)\"])\n"
        case .external: text += "  s\(number)[(\"\(label)\")]\n"
        }
    }
    for (sidecar, edges) in plan.edges.enumerated() {
        for edge in edges {
            let arrow = edge.required ? "-->" : "-.->"
            text += "  s\(edge.target) \(arrow)|\(edge.condition.rawValue)| s\(sidecar)\n"
        }
    }
    return text
}
