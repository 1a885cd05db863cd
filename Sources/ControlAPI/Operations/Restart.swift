/// Restarts sidecars, with a clean restart budget. Answered when the core has taken it up.
package enum Restart: ControlOperation {
    package static let method = "restart"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Sidecars or instances, at least one.
        package var names: [String]

        package init(names: [String]) { self.names = names }
    }

    package typealias Answer = Touched
}
