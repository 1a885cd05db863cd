package import SidecarModel

/// What applying a plan does to what runs, as the smallest set of changes.
package struct PlanDifference: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case create
        /// The keys whose change asks for it.
        case restart(changed: [String])
        case updateInPlace(changed: [String])
        case scale(from: Int, to: Int)
        case remove
        case unchanged
    }

    package struct Entry: Hashable, Sendable {
        package var sidecar: String
        package var action: Action
    }

    /// Those of the new plan in its order, then the removed ones in the order of the old.
    package var entries: [Entry]

    /// O(sidecars × keys).
    package init(from old: Plan?, to new: Plan) {
        var before: [String: SidecarSpec] = [:]
        for sidecar in old?.sidecars ?? [] { before[sidecar.name] = sidecar }
        entries = new.sidecars.map { sidecar in
            guard let previous = before.removeValue(forKey: sidecar.name) else {
                return Entry(sidecar: sidecar.name, action: .create)
            }
            return Entry(sidecar: sidecar.name, action: Self.action(from: previous, to: sidecar))
        }
        for sidecar in old?.sidecars ?? [] where before[sidecar.name] != nil {
            entries.append(Entry(sidecar: sidecar.name, action: .remove))
        }
    }

    /// True when nothing would be touched.
    package var isEmpty: Bool { entries.allSatisfy { $0.action == .unchanged } }

    package static func action(from old: SidecarSpec, to new: SidecarSpec) -> Action {
        var restart: [String] = []
        var inPlace: [String] = []
        var previous: [String: KeyFingerprint] = [:]
        for part in old.fingerprints { previous[part.key] = part }
        for part in new.fingerprints {
            let was = previous.removeValue(forKey: part.key)
            guard was?.value != part.value else { continue }
            switch part.onChange {
            case .restart: restart.append(part.key)
            case .inPlace: inPlace.append(part.key)
            case .ignore: break
            }
        }
        for part in old.fingerprints where previous[part.key] != nil {
            switch part.onChange {
            case .restart: restart.append(part.key)
            case .inPlace: inPlace.append(part.key)
            case .ignore: break
            }
        }
        if !restart.isEmpty { return .restart(changed: restart + inPlace) }
        if old.replicas != new.replicas { return .scale(from: old.replicas, to: new.replicas) }
        return inPlace.isEmpty ? .unchanged : .updateInPlace(changed: inPlace)
    }
}
