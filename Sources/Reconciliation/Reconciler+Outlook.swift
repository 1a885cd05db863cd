import Planning
import SidecarModel

/// What is to become of a sidecar, by what its instances were started with and not by what was last declared.
package enum Outlook: Hashable, Sendable {
    /// What lives of it lives on.
    case keeps
    /// A life of it gives way to a new one. The keys whose change asks for it, as far as they are known; none for one that
    /// was ending for another reason.
    case restarts(changed: [String], holdsDeadAddresses: Bool)
    /// It has none, and is to have one.
    case starts
}

extension Reconciler {
    /// The sidecars of which a life gives way to a new one.
    package var givingWay: Set<String> { sidecars { $0.isDeclared && $0.isWanted && $0.isGivingWay } }

    /// The sidecars of which something does not run and would not start by itself.
    package var idle: Set<String> {
        sidecars { $0.isDeclared && (!$0.isWanted || $0.phase.name == .failed || $0.phase.name == .completed) }
    }

    private func sidecars(withOneThat matches: (Instance) -> Bool) -> Set<String> {
        Set(groups.filter { $0.instances.contains { matches(slots[$0]) } }.map(\.name))
    }

    /// For whoever asks right after an apply: nothing of it has happened yet.
    package func outlook(for sidecar: String) -> Outlook {
        guard let group = groupPlaces[sidecar] else { return .keeps }
        let wanted = groups[group].instances.map { slots[$0] }.filter { $0.isDeclared && $0.isWanted }
        let ending = wanted.filter(\.isGivingWay)
        guard !ending.isEmpty else { return wanted.contains(where: \.isToStart) ? .starts : .keeps }
        let changes = ending.lazy.compactMap { instance -> [String]? in
            guard case .restart(let keys) = PlanDifference.action(from: instance.spec, to: groups[group].spec) else {
                return nil
            }
            return keys
        }
        return .restarts(
            changed: changes.first ?? [],
            holdsDeadAddresses: ending.contains { $0.holdsDeadAddresses && $0.pendingRestart != nil })
    }
}

extension Instance {
    fileprivate var isGivingWay: Bool {
        guard !isGone else { return false }
        if case .stopping = phase { return true }
        return pendingRestart != nil
    }

    fileprivate var isToStart: Bool {
        switch phase {
        case .stopped, .waiting, .blocked, .backoff, .failed: true
        case .completed, .starting, .healthy, .unhealthy, .stopping: false
        }
    }
}
