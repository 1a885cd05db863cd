/// The values of secrets that were drawn for this life of the project, for the app it belongs to. Those that come from
/// somewhere else are known there.
package enum GeneratedSecrets: ControlOperation {
    package static let method = "generated_secrets"

    package struct Parameters: Hashable, Codable, Sendable {
        package init() {}
    }

    package struct Answer: Hashable, Codable, Sendable {
        /// By the manifest's names.
        package var values: [String: String]

        package init(values: [String: String]) { self.values = values }
    }
}
