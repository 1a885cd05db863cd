/// Starts sidecars and what they depend on. Answered when the core has taken it up, not when they are healthy.
package enum Start: ControlOperation {
    package static let method = "start"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Sidecars or instances, at least one.
        package var names: [String]

        package init(names: [String]) { self.names = names }
    }

    package typealias Answer = Touched
}

/// Whom a request touches.
package struct Touched: Hashable, Codable, Sendable {
    /// Sidecars, in manifest order: those named, then dependencies or dependents that go with them.
    package var sidecars: [String]

    package init(sidecars: [String]) { self.sidecars = sidecars }

    /// What was named, instances of a sidecar without their siblings, and those that go with it.
    package func all(named names: [String]) -> [String] {
        names + sidecars.filter { sidecar in !names.contains { $0 == sidecar || $0.hasPrefix(sidecar + "/") } }
    }
}
