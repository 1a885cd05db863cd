package import SidecarModel

extension Plan {
    /// The plan after `up a b`: those named and what they require are as the new manifest says, everything else stays as
    /// it was. What the new manifest no longer has stays too, until an `up` of all.
    ///
    /// Throws `PlanError` when the two together are no plan.
    package func replacing(_ names: [String], from new: Plan) throws(PlanError) -> Plan {
        let edited = new.closure(of: names)
        var before: [String: SidecarSpec] = [:]
        for sidecar in sidecars { before[sidecar.name] = sidecar }
        var merged: [SidecarSpec] = []
        for (position, sidecar) in new.sidecars.enumerated() {
            let old = before.removeValue(forKey: sidecar.name)
            merged.append(edited[position] ? sidecar : old ?? sidecar)
        }
        merged += sidecars.filter { before[$0.name] != nil }
        return try Plan(project: new.project, sidecars: merged)
    }

    /// The secrets that those named, and what they require, are handed; of all when none is named. As declared.
    package func secrets(neededBy names: [String]) -> [SecretSpec] {
        guard !project.secrets.isEmpty else { return [] }
        let isWanted = names.isEmpty ? sidecars.map { _ in true } : closure(of: names)
        var needed: Set<String> = []
        for position in sidecars.indices where isWanted[position] {
            for use in sidecars[position].secrets { needed.insert(use.secret) }
        }
        return project.secrets.filter { needed.contains($0.name) }
    }

    /// Which of the names stand for no sidecar of it, or for no instance there is to be, in a sentence too. Nil: none.
    package func unknown(among names: [String]) -> (names: [String], sentence: String)? {
        let unknown = names.filter { !hasInstance(named: $0) }
        guard !unknown.isEmpty else { return nil }
        let known = sidecars.map { $0.replicas == 1 ? $0.name : "\($0.name) (\($0.replicas) replicas)" }
        let list = unknown.map { "'\($0)'" }.joined(separator: ", ")
        return (
            unknown, "the manifest declares no sidecar \(list); it declares: \(known.joined(separator: ", "))"
        )
    }

    private func hasInstance(named name: String) -> Bool {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let sidecar = sidecars.first(where: { $0.name == parts[0] }) else { return false }
        guard parts.count == 2 else { return true }
        guard let replica = Int(parts[1]), replica >= 0 else { return false }
        // Where each client has its own, there are as many as there are clients.
        return replica < sidecar.replicas || sidecar.stdio == .perClient
    }

    /// By position: whether the sidecar is named or required, transitively, by one that is. Unknown names mean none;
    /// `mcp/0` means `mcp`.
    package func closure(of names: [String]) -> [Bool] {
        var isIn = [Bool](repeating: false, count: sidecars.count)
        var stack: [Int] = []
        let wanted = Set(names.map { $0.split(separator: "/", maxSplits: 1).first.map(String.init) ?? $0 })
        for (position, sidecar) in sidecars.enumerated() where wanted.contains(sidecar.name) {
            isIn[position] = true
            stack.append(position)
        }
        while let position = stack.popLast() {
            for edge in edges[position] where edge.required && !isIn[edge.target] {
                isIn[edge.target] = true
                stack.append(edge.target)
            }
        }
        return isIn
    }
}
