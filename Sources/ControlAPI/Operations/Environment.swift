/// What a sidecar is, or would be, started with: for `env` and `exec`.
package enum Environment: ControlOperation {
    package static let method = "environment"

    package struct Parameters: Hashable, Codable, Sendable {
        /// A sidecar or an instance; a sidecar with replicas means its first.
        package var name: String

        package init(name: String) { self.name = name }
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

        enum CodingKeys: String, CodingKey { case instance, variables, workingDirectory = "working_directory" }

        package init(instance: String, workingDirectory: String, variables: [Variable]) {
            self.instance = instance
            self.workingDirectory = workingDirectory
            self.variables = variables
        }
    }
}
