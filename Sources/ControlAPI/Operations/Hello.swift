/// The first thing a client says, and how it learns with whom it talks.
package enum Hello: ControlOperation {
    package static let method = "hello"

    package struct Parameters: Hashable, Codable, Sendable {
        package var version: ControlVersion

        package init(version: ControlVersion = .current) { self.version = version }
    }

    package struct Answer: Hashable, Codable, Sendable {
        package var version: ControlVersion
        package var project: String
        package var identity: String
        /// The manifest's. Nil: it has none, or an older supervisor answered.
        package var id: String?
        package var directory: String
        package var manifest: String
        package var pid: Int32

        package init(
            version: ControlVersion = .current, project: String, identity: String, id: String? = nil,
            directory: String, manifest: String, pid: Int32
        ) {
            self.version = version
            self.project = project
            self.identity = identity
            self.id = id
            self.directory = directory
            self.manifest = manifest
            self.pid = pid
        }
    }
}
