/// Stops sidecars. Answered when the core has taken it up. `dependentsRunning` when running sidecars need them and the
/// scope is `refuse`.
package enum Stop: ControlOperation {
    package static let method = "stop"

    package enum Dependents: String, Hashable, Codable, Sendable, CaseIterable {
        /// Refuse, and list them.
        case refuse
        /// Stop them first.
        case cascade
        /// Leave them running.
        case leave
    }

    package struct Parameters: Hashable, Codable, Sendable {
        /// Sidecars or instances, at least one.
        package var names: [String]
        package var dependents: Dependents

        package init(names: [String], dependents: Dependents) {
            self.names = names
            self.dependents = dependents
        }
    }

    package typealias Answer = Touched
}
