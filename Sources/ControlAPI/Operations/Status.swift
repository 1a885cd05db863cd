/// What is true now.
package enum Status: ControlOperation {
    package static let method = "status"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Sidecars or instances; empty: all.
        package var names: [String]
        /// Reads CPU and memory of what runs, which costs a look at each process.
        package var withUsage: Bool

        enum CodingKeys: String, CodingKey { case names, withUsage = "with_usage" }

        package init(names: [String] = [], withUsage: Bool = false) {
            self.names = names
            self.withUsage = withUsage
        }
    }

    package typealias Answer = ProjectReport
}
