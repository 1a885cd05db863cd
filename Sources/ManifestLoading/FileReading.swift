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

/// Whom a program is run as, where that is another user than ours.
package struct Runner: Hashable, Sendable {
    /// As the manifest has it.
    package var name: String
    package var user: UInt32
    package var groups: [UInt32]

    package init(name: String, user: UInt32, groups: [UInt32]) {
        self.name = name
        self.user = user
        self.groups = groups
    }
}

/// Why the system refuses to run a file that may be executed.
package enum ProgramFlaw: Hashable, Sendable {
    case interpreterNotFound(String)
    /// It is neither a program nor a script with a #! line.
    case unknownFormat
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

    /// The same with what somebody else may do.
    func kind(of path: String, for runner: Runner?) -> FileKind?

    /// Whether what is there may be read. Yes where nobody was asked.
    func mayRead(_ path: String) -> Bool

    /// Nil where that is not known, or no other than we are.
    func runner(user: String, group: String?) -> Runner?

    /// Nil when there is none, or nobody was asked.
    func flaw(ofProgram path: String) -> ProgramFlaw?

    /// In bytes. Nil: not asked.
    var longestArgument: Int? { get }

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
    package func kind(of path: String, for runner: Runner?) -> FileKind? { kind(of: path) }
    package func mayRead(_ path: String) -> Bool { true }
    package func runner(user: String, group: String?) -> Runner? { nil }
    package func flaw(ofProgram path: String) -> ProgramFlaw? { nil }
    package var longestArgument: Int? { nil }
    package func user(_ name: String) -> AccountAnswer { .notAsked }
    package func group(_ name: String) -> AccountAnswer { .notAsked }
    package var abilities: HostAbilities? { nil }
    package func obstacle(to resources: ResourceSpec) -> String? { nil }
    package func obstacle(to port: PortSpec, replicas: Int) -> PortObstacle? { nil }
}
