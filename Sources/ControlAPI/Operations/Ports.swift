/// The ports instances have been given.
package enum Ports: ControlOperation {
    package static let method = "ports"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Sidecars or instances; empty: all.
        package var names: [String]

        package init(names: [String] = []) { self.names = names }
    }

    package struct Answer: Hashable, Codable, Sendable {
        package var ports: [PortReport]

        package init(ports: [PortReport]) { self.ports = ports }
    }
}
