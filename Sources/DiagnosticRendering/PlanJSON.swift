package import Planning
package import SidecarModel

/// The plan for programs:
///
///     { "project": "…", "directory": "…", "sidecars": [ { "name": "…", "kind": "service", "replicas": 1, "wave": 1,
///       "primary": false, "ports": [ { "name": "http", "port": "8080-8200", "bind": "127.0.0.1", "protocol": "tcp" } ],
///       "depends_on": [ { "sidecar": "db", "condition": "healthy", "required": true } ] } ],
///       "order": ["…"], "waves": [["…"]] }
package func planJSON(_ plan: Plan) -> String {
    var wave = [Int](repeating: 0, count: plan.sidecars.count)
    for (number, members) in plan.waves.enumerated() { for sidecar in members { wave[sidecar] = number + 1 } }
    return JSONValue.object([
        "project": .string(plan.project.name),
        "id": plan.project.id.map { .string($0) },
        "directory": .string(plan.project.directory),
        "sidecars": .array(
            plan.sidecars.indices.map { sidecar in
                let spec = plan.sidecars[sidecar]
                return .object([
                    "name": .string(spec.name),
                    "kind": .string(spec.kind.rawValue),
                    "replicas": .int(spec.replicas),
                    "primary": .bool(spec.primary),
                    "wave": .int(wave[sidecar]),
                    "ports": .array(spec.ports.map(JSONValue.init)),
                    "depends_on": .array(plan.edges[sidecar].map { JSONValue($0, in: plan) }),
                ])
            }),
        "order": .array(plan.order.map { .string(plan.sidecars[$0].name) }),
        "waves": .array(plan.waves.map { wave in .array(wave.map { .string(plan.sidecars[$0].name) }) }),
    ]).text()
}

extension PortSpec.Wanted {
    /// As it is written in a manifest.
    package var spelling: String {
        switch self {
        case .number(let number): "\(number)"
        case .range(let first, let last): "\(first)-\(last)"
        case .automatic: "auto"
        }
    }
}

extension JSONValue {
    fileprivate init(_ port: PortSpec) {
        self = .object([
            "name": .string(port.name), "port": .string(port.wanted.spelling), "bind": .string(port.bind),
            "protocol": .string(port.transport.rawValue),
        ])
    }

    fileprivate init(_ edge: Plan.Edge, in plan: Plan) {
        self = .object([
            "sidecar": .string(plan.sidecars[edge.target].name),
            "condition": .string(edge.condition.rawValue),
            "required": .bool(edge.required),
            "quorum": edge.quorum.map { .int($0) },
        ])
    }
}
