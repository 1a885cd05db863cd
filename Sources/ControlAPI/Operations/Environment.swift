/// What a sidecar is, or would be, started with: for `env` and `exec`.
package enum Environment: ControlOperation {
    package static let method = "environment"

    package struct Parameters: Hashable, Codable, Sendable {
        /// A sidecar or an instance; a sidecar with replicas means its first.
        package var name: String
        /// Their values too; otherwise they are empty.
        package var withSecrets: Bool?

        enum CodingKeys: String, CodingKey { case name, withSecrets = "with_secrets" }

        package init(name: String, withSecrets: Bool? = nil) {
            self.name = name
            self.withSecrets = withSecrets
        }
    }

    /// Whom it runs as, where that is not the supervisor's user.
    package struct Identity: Hashable, Codable, Sendable {
        package var user: String?
        package var group: String?
        /// Variables that the user's account gives.
        package var accountVariables: [String]

        enum CodingKeys: String, CodingKey { case user, group, accountVariables = "account_variables" }

        package init(user: String?, group: String?, accountVariables: [String]) {
            self.user = user
            self.group = group
            self.accountVariables = accountVariables
        }
    }

    package struct Variable: Hashable, Codable, Sendable {
        package var name: String
        package var value: String
        /// Never to be printed.
        package var isSecret: Bool

        enum CodingKeys: String, CodingKey { case name, value, isSecret = "secret" }

        package init(name: String, value: String, isSecret: Bool = false) {
            self.name = name
            self.value = value
            self.isSecret = isSecret
        }
    }

    package struct Answer: Hashable, Codable, Sendable {
        package var instance: String
        package var workingDirectory: String
        package var variables: [Variable]
        package var identity: Identity?

        enum CodingKeys: String, CodingKey {
            case instance, variables, identity, workingDirectory = "working_directory"
        }

        package init(
            instance: String, workingDirectory: String, variables: [Variable], identity: Identity? = nil
        ) {
            self.instance = instance
            self.workingDirectory = workingDirectory
            self.variables = variables
            self.identity = identity
        }
    }
}
