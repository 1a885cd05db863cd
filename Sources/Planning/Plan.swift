package import SidecarModel

/// A valid manifest as the core works on it: names resolved to dense indices, edges in both directions, and one order.
///
/// Indices are positions in `sidecars`, which keeps the manifest's order.
package struct Plan: Hashable, Codable, Sendable {
    /// A dependency with its target resolved.
    package struct Edge: Hashable, Codable, Sendable {
        package var target: Int
        package var condition: DependencySpec.Condition
        package var required: Bool
        /// How many instances must hold the condition. Nil: all.
        package var quorum: Int?
    }

    package let project: ProjectSpec
    package let sidecars: [SidecarSpec]
    /// By sidecar: whom it depends on, in the order it says so.
    package let edges: [[Edge]]
    /// By sidecar: who depends on it, in manifest order.
    package let dependents: [[Int]]
    /// Dependencies first; among those free to go, manifest order.
    package let order: [Int]
    /// What starts together when each wave waits for the one before: the picture, not the mechanism.
    package let waves: [[Int]]

    /// Throws `PlanError` with everything that is wrong. An edge with `required: false` to a sidecar that is not there
    /// is dropped. O(sidecars + edges).
    package init(project: ProjectSpec, sidecars: [SidecarSpec]) throws(PlanError) {
        var index: [String: Int] = [:]
        index.reserveCapacity(sidecars.count)
        for position in sidecars.indices { index[sidecars[position].name] = position }

        var unknown: [PlanError.UnknownDependency] = []
        var edges: [[Edge]] = []
        edges.reserveCapacity(sidecars.count)
        var dependents = [[Int]](repeating: [], count: sidecars.count)
        for position in sidecars.indices {
            let dependencies = sidecars[position].dependencies
            var own: [Edge] = []
            own.reserveCapacity(dependencies.count)
            for dependency in dependencies {
                guard let target = index[dependency.sidecar] else {
                    if dependency.required {
                        unknown.append(.init(dependent: sidecars[position].name, dependency: dependency.sidecar))
                    }
                    continue
                }
                own.append(
                    Edge(
                        target: target, condition: dependency.condition, required: dependency.required,
                        quorum: dependency.quorum))
                dependents[target].append(position)
            }
            edges.append(own)
        }
        let targets = edges.map { $0.map(\.target) }
        let layers = TopologicalLayers(edges: targets, dependents: dependents)
        let cycles = layers.isComplete ? [] : shortestCycles(edges: targets)
        guard unknown.isEmpty, cycles.isEmpty else {
            throw PlanError(unknown: unknown, cycles: cycles.map { cycle in cycle.map { sidecars[$0].name } })
        }
        self.project = project
        self.sidecars = sidecars
        self.edges = edges
        self.dependents = dependents
        order = layers.waves.flatMap(\.self)
        waves = layers.waves
    }
}

/// Why sidecars are no plan.
package struct PlanError: Error, Hashable, Sendable {
    package struct UnknownDependency: Hashable, Sendable {
        package var dependent: String
        package var dependency: String
    }

    package var unknown: [UnknownDependency]
    /// One shortest cycle per strongly connected component: names in order of the edges, the first repeated last.
    package var cycles: [[String]]

    package init(unknown: [UnknownDependency], cycles: [[String]]) {
        self.unknown = unknown
        self.cycles = cycles
    }
}

/// Kahn's algorithm, layer by layer.
struct TopologicalLayers {
    private(set) var waves: [[Int]] = []
    private(set) var isComplete: Bool

    init(edges: [[Int]], dependents: [[Int]]) {
        var missing = edges.map(\.count)
        var wave = missing.indices.filter { missing[$0] == 0 }
        var placed = 0
        while !wave.isEmpty {
            placed += wave.count
            var next: [Int] = []
            for sidecar in wave {
                for dependent in dependents[sidecar] {
                    missing[dependent] -= 1
                    if missing[dependent] == 0 { next.append(dependent) }
                }
            }
            waves.append(wave)
            next.sort()
            wave = next
        }
        isComplete = placed == edges.count
    }
}
