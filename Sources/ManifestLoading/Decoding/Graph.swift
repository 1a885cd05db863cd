import Planning
import SidecarModel
import YAMLReading

/// What can be said only when every sidecar is known.
extension ManifestDecoder {
    /// Fills in the conditions that were left to the target's kind, and finds edges that lead nowhere.
    func completeDependencies() {
        for written in dependencies {
            let dependency = sidecars[written.sidecar].dependencies[written.position]
            guard let target = indexByName[dependency.sidecar] else {
                guard dependency.required else { continue }
                report(
                    .unknownDependency, at: written.node, "there is no sidecar '\(dependency.sidecar)'",
                    help: closestSidecar(to: dependency.sidecar).map { "did you mean '\($0)'?" }
                        ?? "declare it, or write "
                        + (written.isListed ? "the mapping form: depends_on: " : "")
                        + "{ \(dependency.sidecar): { required: false } }")
                continue
            }
            if target == written.sidecar {
                report(
                    .selfDependency, at: written.node, "'\(dependency.sidecar)' depends on itself", help: "remove it")
            }
            if !written.hasCondition {
                sidecars[written.sidecar].dependencies[written.position].condition =
                    impliedCondition(of: target)
            }
        }
    }

    private func impliedCondition(of target: Int) -> DependencySpec.Condition {
        if sidecars[target].kind == .task { return .succeeded }
        return sidecars[target].health.readiness == nil ? .started : .healthy
    }

    func buildPlan() -> Plan? {
        guard !sidecars.isEmpty else { return nil }
        if options.makesFingerprints {
            project.canonicalDirectory = canonicalDirectory
            let blank = project.blankHasher
            for position in sidecars.indices {
                sidecars[position].fingerprints = sidecars[position].makeFingerprints(from: blank)
            }
        }
        do {
            return try Plan(project: project, sidecars: sidecars)
        } catch {
            for cycle in error.cycles where cycle.count > 2 { report(cycle: cycle) }
            return nil
        }
    }

    private func report(cycle: [String]) {
        let edges = zip(cycle, cycle.dropFirst()).compactMap { from, to -> (from: String, to: String, node: NodeID)? in
            guard let source = indexByName[from] else { return nil }
            let written = dependenciesBySidecar[source]?.first { written in
                sidecars[source].dependencies[written.position].sidecar == to
            }
            return written.map { (from, to, $0.node) }
        }
        guard let first = edges.first else { return }
        report(
            .dependencyCycle, at: first.node, "these wait for each other: \(sentence(of: cycle))",
            help: "remove one of the edges",
            related: edges.dropFirst().map { related("'\($0.from)' depends on '\($0.to)' here", $0.node) })
    }

    /// All names of a short cycle, the beginning of a long one.
    private func sentence(of cycle: [String]) -> String {
        guard cycle.count > 12 else { return cycle.joined(separator: " → ") }
        return cycle.prefix(8).joined(separator: " → ") + " → … → \(cycle[0]), \(cycle.count - 1) in all"
    }

    /// A suggestion looks at every name, so a large manifest in which everything is wrong gets only the first ones.
    private func closestSidecar(to name: String) -> String? {
        guard suggestionBudget >= sidecars.count else { return nil }
        suggestionBudget -= sidecars.count
        return closest(to: name, among: sidecars.map(\.name))
    }

    /// Every reference names something there is, and something that is up before.
    func checkReferences() {
        for written in references { check(written) }
    }

    private func check(_ written: WrittenReference) {
        switch written.reference {
        case .projectName, .projectDirectory, .projectData: break
        case .sidecarName, .replica, .port:
            guard let own = written.sidecar else {
                // In `env:` or `defaults:` it is looked up in each sidecar when that one starts.
                checkEverywhere(written)
                return
            }
            if case .port(let port) = written.reference { _ = portExists(port, of: own, at: written.node) }
        case .sidecarHost(let name): _ = target(name, of: written)
        case .sidecarAddresses(let name, let port):
            if let target = target(name, of: written) { _ = portExists(port, of: target, at: written.node) }
        case .sidecarPort(let name, let replica, let port):
            guard let target = target(name, of: written), portExists(port, of: target, at: written.node) else { return }
            checkReplica(replica, port: port, of: sidecars[target], at: written.node)
        }
    }

    private func checkEverywhere(_ written: WrittenReference) {
        guard case .port(let port) = written.reference else { return }
        for sidecar in sidecars where !sidecar.ports.contains(where: { $0.name == port }) {
            if unreadPorts[sidecar.name]?.mayHold(port) ?? false { continue }
            report(
                .unknownPort, at: written.node, "'\(sidecar.name)' gets this too and has no port '\(port)'",
                help: "say it in the sidecars that have the port")
            return
        }
    }

    private func checkReplica(_ replica: Int?, port: String, of target: SidecarSpec, at node: NodeID) {
        if let replica {
            guard replica >= target.replicas else { return }
            report(
                .replicaOutOfRange, at: node, "'\(target.name)' has \(target.replicas) replicas, and no \(replica)",
                help: "they are counted from 0")
        } else if target.replicas > 1 {
            report(
                .ambiguousReplica, at: node, "'\(target.name)' has \(target.replicas) replicas, each with its own port",
                help: "write ${sidecars.\(target.name).0.ports.\(port)} for the first, or "
                    + "${sidecars.\(target.name).addresses.\(port)} for all")
        }
    }

    private func portExists(_ port: String, of sidecar: Int, at node: NodeID) -> Bool {
        let names = sidecars[sidecar].ports.map(\.name)
        if names.contains(port) { return true }
        if unreadPorts[sidecars[sidecar].name]?.mayHold(port) ?? false { return false }
        report(
            .unknownPort, at: node, "'\(sidecars[sidecar].name)' has no port '\(port)'",
            help: closest(to: port, among: names).map { "did you mean '\($0)'?" }
                ?? (names.isEmpty ? "declare it under 'ports:'" : "its ports are \(names.joined(separator: ", "))"))
        return false
    }

    private func target(_ name: String, of written: WrittenReference) -> Int? {
        guard let target = indexByName[name] else {
            report(
                .unknownReference, at: written.node, "there is no sidecar '\(name)'",
                help: closestSidecar(to: name).map { "did you mean '\($0)'?" })
            return nil
        }
        if let own = written.sidecar, own != target, !reaches(target, from: own) {
            report(
                .referenceWithoutDependency, at: written.node,
                "'\(sidecars[own].name)' refers to '\(name)' and doesn't depend on it",
                help: "add \(name) to its depends_on, so that it is up before")
        }
        return target
    }

    /// Whether a chain of dependencies leads there. Each sidecar's search is kept, as its references come in a row.
    private func reaches(_ target: Int, from start: Int) -> Bool {
        if sidecars[start].dependencies.contains(where: { $0.sidecar == sidecars[target].name }) { return true }
        if reachable.from != start {
            var isReached = [Bool](repeating: false, count: sidecars.count)
            var stack = [start]
            while let node = stack.popLast() {
                for next in targets[node] where !isReached[next] {
                    isReached[next] = true
                    stack.append(next)
                }
            }
            reachable = (start, isReached)
        }
        return reachable.isReached[target]
    }
}
