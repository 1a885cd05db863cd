/// Binds the project's life to that of a client, or lets go of it. It hangs on the connection it was renewed on last.
package enum Lease: ControlOperation {
    package static let method = "lease"

    package enum Action: String, Hashable, Codable, Sendable, CaseIterable {
        /// Conflict when another living client holds it.
        case take
        /// The same token on a new connection, after the supervisor was started again.
        case renew
        /// The project lives on without.
        case release
    }

    package struct Parameters: Hashable, Codable, Sendable {
        package var action: Action
        package var token: String
        package var client: ClientIdentity

        package init(action: Action, token: String, client: ClientIdentity) {
            self.action = action
            self.token = token
            self.client = client
        }
    }

    package struct Answer: Hashable, Codable, Sendable {
        /// Whether this client holds the lease now.
        package var isHolder: Bool

        enum CodingKeys: String, CodingKey { case isHolder = "holder" }

        package init(isHolder: Bool) { self.isHolder = isHolder }
    }
}
