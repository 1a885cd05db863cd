package import Planning
package import SidecarModel

package struct LoadOptions: Hashable, Sendable {
    /// Look at what depends on this machine: whether directories, files and commands are there.
    package var checksHost: Bool
    /// Read `env_file` and `.env`, as far as they are there. As `checksHost` where nothing else is said.
    package var readsFiles: Bool
    /// Replace `${VAR}`. Without it they stay as they are and what they stand for is not checked.
    package var interpolates: Bool
    /// A plan that can be made is wanted whatever is wrong with the manifest: what it describes runs already.
    package var toleratesErrors: Bool
    /// Compute what tells a changed sidecar from an unchanged one. Without it the plan is good for looking at alone.
    package var makesFingerprints: Bool

    package init(
        checksHost: Bool = true, readsFiles: Bool? = nil, interpolates: Bool = true, toleratesErrors: Bool = false,
        makesFingerprints: Bool = true
    ) {
        self.checksHost = checksHost
        self.readsFiles = readsFiles ?? checksHost
        self.interpolates = interpolates
        self.toleratesErrors = toleratesErrors
        self.makesFingerprints = makesFingerprints
    }
}

/// A manifest as far as it could be understood.
package struct LoadedManifest: Sendable {
    /// Nil when there is an error among the diagnostics.
    package var plan: Plan?
    /// Sorted by place, with snippets.
    package var diagnostics: [Diagnostic]
    /// The manifest as the user named it.
    package var file: String
    /// Absolute; empty for standard input.
    package var path: String

    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}
