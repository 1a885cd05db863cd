package import SidecarModel

/// What a process is started for.
package enum ProcessKind: UInt32, Sendable {
    case sidecar, hook, probe
    /// One of a sidecar that runs a process for each client.
    case client
}

/// Standard descriptors of a child. -1 is /dev/null.
package struct StandardDescriptors: Sendable {
    package var input: Int32
    package var output: Int32
    package var error: Int32

    package init(input: Int32 = -1, output: Int32 = -1, error: Int32 = -1) {
        self.input = input
        self.output = output
        self.error = error
    }
}

/// A process to be started.
package struct ProcessRequest: Sendable {
    /// As it is recorded: `db/0`, `db/0:liveness`, `db/0:pre_start`, `mcp/0:client`.
    package var name: String
    package var kind: ProcessKind
    package var incarnation: UInt64
    /// The program's name (looked up along the child's PATH, seen from its directory) or path, and its arguments.
    package var arguments: [String]
    /// `KEY=value`
    package var environment: [String]
    /// An absolute path.
    package var workingDirectory: String
    /// Nil: that of the supervisor.
    package var umask: UInt32?
    /// Whom it runs as, and with what limits.
    package var identity = ProcessIdentity()
    /// What all that it starts may take together.
    package var resources = ResourceSpec()
    /// Secrets it is handed as files.
    package var credentials: CredentialFiles?
    /// How whoever has nothing but the records is to stop it.
    package var stop: StopRecord?
    /// What it reads from its standard input, instead of `descriptors.input`.
    package var standardInput: [UInt8]?
    /// Stay open and the caller's.
    package var descriptors = StandardDescriptors()
    /// False: what comes of it may be told later while many are started.
    package var isAwaited = true
    /// Runs on the spawner's thread just before; opens what may block. Its descriptors take the place of `descriptors`,
    /// and are closed when the child runs, or doesn't.
    package var prepare: (@Sendable () throws(SpawnFailure) -> StandardDescriptors)?

    package init(
        name: String, kind: ProcessKind, incarnation: UInt64, arguments: [String], environment: [String],
        workingDirectory: String
    ) {
        self.name = name
        self.kind = kind
        self.incarnation = incarnation
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
    }
}

/// A started process, until it is released. Never means another one.
package struct ProcessID: Hashable, Sendable {
    package let slot: UInt32
    package let generation: UInt32
}

/// What a supervisor finds on record when it starts.
package struct AdoptedProcess: Sendable {
    package enum Condition: Hashable, Sendable {
        case alive(pid: Int32)
        /// The leader ended; others of it may live.
        case exited(ExitStatus)
    }

    package var id: ProcessID
    package var name: String
    package var kind: ProcessKind
    package var incarnation: UInt64
    package var condition: Condition
}
