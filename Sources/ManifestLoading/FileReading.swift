package import SidecarModel

/// Why a file could not be read.
package enum FileReadFailure: Error, Hashable, Sendable {
    case notFound
    case permissionDenied
    case isDirectory
    /// What it is, with its article: a FIFO, a socket or a device.
    case notAFile(String)
    case tooLarge(limit: Int)
    case other(String)
}

/// What a path leads to.
package enum FileKind: Hashable, Sendable {
    case file(isExecutable: Bool)
    case directory(isAccessible: Bool)
    case other
    /// Nobody may look: a directory above it lets this user not in.
    case hidden
}

/// The host's files, as far as a manifest needs them.
package protocol FileReading {
    /// Absolute.
    var currentDirectory: String { get }

    func read(_ path: String, limit: Int) throws(FileReadFailure) -> [UInt8]

    /// The path without symbolic links. Nil when nothing is there.
    func canonicalPath(_ path: String) -> String?

    /// Nil when nothing is there.
    func kind(of path: String) -> FileKind?

    func user(_ name: String) -> AccountAnswer
    func group(_ name: String) -> AccountAnswer

    /// Nil: not asked.
    var abilities: HostAbilities? { get }

    /// Why the limits can't be enforced, as the end of a sentence. Nil when they can, or nobody was asked.
    func obstacle(to resources: ResourceSpec) -> String?

    /// Why so many instances can't each have such a port. Nil when they can, or nobody was asked.
    func obstacle(to port: PortSpec, replicas: Int) -> PortObstacle?
}

/// Why a port can't be had now.
package struct PortObstacle: Hashable, Sendable {
    /// What it is, with who has the port where somebody has.
    package var message: String
    /// The way out.
    package var remedy: String?

    package init(message: String, remedy: String? = nil) {
        self.message = message
        self.remedy = remedy
    }
}

/// Files alone, and no word of the rest of the host.
extension FileReading {
    package func user(_ name: String) -> AccountAnswer { .notAsked }
    package func group(_ name: String) -> AccountAnswer { .notAsked }
    package var abilities: HostAbilities? { nil }
    package func obstacle(to resources: ResourceSpec) -> String? { nil }
    package func obstacle(to port: PortSpec, replicas: Int) -> PortObstacle? { nil }
}
