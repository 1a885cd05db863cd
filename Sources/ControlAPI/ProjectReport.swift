/// How surely everything of a sidecar is found and ended, and by what means.
package struct ContainmentReport: Hashable, Codable, Sendable {
    /// `cgroup`, `keeper` or `session`.
    package var level: String
    /// `cgroup /user.slice/…`, `subreaper and session`
    package var description: String

    package init(level: String, description: String) {
        self.level = level
        self.description = description
    }

    /// `cgroup /sys/fs/…`, or the level with why it is no better.
    package var sentence: String {
        description.hasPrefix(level) ? description : "\(level) (\(description))"
    }
}

/// A project as `status --json` shows it.
package struct ProjectReport: Hashable, Codable, Sendable {
    package enum Phase: String, Hashable, Codable, Sendable, CaseIterable {
        case running
        /// Going down, by `down`, a lost lease or a primary's end.
        case stopping
        /// Nothing of it runs: what is shown is what was last known.
        case stopped
        /// Some of it runs, and nothing supervises that.
        case unsupervised
        /// Its supervisor ended too often within a minute and does not answer: what is shown is what was last known.
        case supervisorBroken = "supervisor-broken"
    }

    package var project: String
    package var identity: String
    package var directory: String
    package var manifest: String
    package var stateDirectory: String
    package var phase: Phase
    package var supervisorPID: Int32?
    package var keeperPID: Int32?
    package var supervisorStartedAt: Timestamp?
    package var containment: ContainmentReport?
    /// The process whose end is the project's end.
    package var lease: LeaseReport?
    /// Things a person should know that are no sidecar's: a keeper that was lost, a supervisor that keeps dying.
    package var warnings: [String]
    package var sidecars: [InstanceReport]

    enum CodingKeys: String, CodingKey {
        case project, identity, directory, manifest, phase, containment, lease, warnings, sidecars
        case stateDirectory = "state_directory"
        case supervisorPID = "supervisor_pid"
        case keeperPID = "keeper_pid"
        case supervisorStartedAt = "supervisor_started_at"
    }

    package init(
        project: String, identity: String, directory: String, manifest: String, stateDirectory: String, phase: Phase,
        supervisorPID: Int32? = nil, keeperPID: Int32? = nil, supervisorStartedAt: Timestamp? = nil,
        containment: ContainmentReport? = nil, lease: LeaseReport? = nil, warnings: [String] = [],
        sidecars: [InstanceReport] = []
    ) {
        self.project = project
        self.identity = identity
        self.directory = directory
        self.manifest = manifest
        self.stateDirectory = stateDirectory
        self.phase = phase
        self.supervisorPID = supervisorPID
        self.keeperPID = keeperPID
        self.supervisorStartedAt = supervisorStartedAt
        self.containment = containment
        self.lease = lease
        self.warnings = warnings
        self.sidecars = sidecars
    }
}

package struct LeaseReport: Hashable, Codable, Sendable {
    package var client: ClientIdentity
    package var takenAt: Timestamp

    enum CodingKeys: String, CodingKey { case client, takenAt = "taken_at" }

    package init(client: ClientIdentity, takenAt: Timestamp) {
        self.client = client
        self.takenAt = takenAt
    }
}

/// A process that can't be mistaken for another one: its pid may be used again, all three together never are.
package struct ClientIdentity: Hashable, Codable, Sendable {
    package var pid: Int32
    /// Field 22 of /proc/PID/stat: clock ticks since boot.
    package var startTime: UInt64
    package var bootID: String

    enum CodingKeys: String, CodingKey { case pid, startTime = "start_time", bootID = "boot_id" }

    package init(pid: Int32, startTime: UInt64, bootID: String) {
        self.pid = pid
        self.startTime = startTime
        self.bootID = bootID
    }
}
