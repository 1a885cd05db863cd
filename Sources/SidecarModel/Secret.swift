/// A secret the project declares: where its value comes from. The value itself is in no plan.
package struct SecretSpec: Hashable, Codable, Sendable {
    package enum Source: Hashable, Codable, Sendable {
        /// Absolute.
        case file(String)
        /// A variable of the environment of whoever brings the project up.
        case environment(String)
        /// Its output, without the last newline.
        case command([String])
        /// So many characters, drawn when the project comes up and kept until it goes down.
        case generated(Int)
    }

    package var name: String
    package var source: Source

    package init(name: String, source: Source) {
        self.name = name
        self.source = source
    }
}

/// A secret handed to a sidecar.
package struct SecretUse: Hashable, Codable, Sendable {
    package enum Form: String, Hashable, Codable, Sendable, CaseIterable {
        /// The variable holds the value.
        case environment = "env"
        /// The variable holds the path of a file with the value.
        case file
    }

    /// Where one is a file, this variable holds the directory of those.
    package static let directoryVariable = "CREDENTIALS_DIRECTORY"

    package var variable: String
    package var secret: String
    package var form: Form
    /// Counts the values the secret has had. It stands in the fingerprint for the value, of which nothing may tell.
    package var revision: UInt64

    package init(variable: String, secret: String, form: Form = .environment, revision: UInt64 = 0) {
        self.variable = variable
        self.secret = secret
        self.form = form
        self.revision = revision
    }
}
