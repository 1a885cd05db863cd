import ControlAPI
import SidecarModel
import StateStore
import Supervision

/// What is known of an instance that failed, or of any other, without a value of its environment and without its
/// arguments: fit to be shown to others.
struct CrashReport: Encodable, Sendable {
    struct Step: Encodable, Sendable {
        var at: Timestamp
        var instance: String
        var incarnation: UInt64
        var from: StateName
        var to: StateName
        var initiator: Initiator
        var cause: String
        var causedBy: String?

        enum CodingKeys: String, CodingKey {
            case at, instance, incarnation, from, to, initiator, cause
            case causedBy = "caused_by"
        }
    }

    struct Port: Encodable, Sendable {
        var name: String
        var number: UInt16
    }

    /// Of one that ended: its leader and the children it waited for. Of one that runs: all of it.
    struct Usage: Encodable, Sendable {
        var cpuMilliseconds: UInt64
        /// What it holds now. Nil: it ended.
        var memoryBytes: Int64?
        /// Nil: it runs, or stayed below the bound, so that the kernel does not tell.
        var maximumMemoryBytes: UInt64?
        /// Nil: it runs.
        var memoryBoundBytes: UInt64?

        enum CodingKeys: String, CodingKey {
            case cpuMilliseconds = "cpu_ms"
            case memoryBytes = "memory_bytes"
            case maximumMemoryBytes = "max_memory_bytes"
            case memoryBoundBytes = "memory_bound_bytes"
        }
    }

    /// Manifest keys that say something else than when it was last well.
    struct Changes: Encodable, Sendable {
        var since: Timestamp
        var keys: [String]
    }

    var format = 1
    var madeAt: Timestamp
    var version = ProgramVersion.current
    var control = "\(ControlVersion.current)"
    var kernel: String
    var project: String
    var manifest: String
    var instance: String
    var sidecar: String
    var replica: Int
    var state: StateName
    var reason: String
    var since: Timestamp
    var incarnation: UInt64
    var restartsTotal: Int
    var consecutiveFailures: Int
    var lastExit: ExitReport?
    var usage: Usage?
    var ports: [Port]
    var containment: ContainmentReport?
    var lastProbe: String?
    /// Nil: it never was well, as far as is known.
    var changes: Changes?
    /// Names alone.
    var environment: [String]
    /// Steps that a health check caused.
    var probes: [Step]
    /// Its own and those of what it depends on, oldest first.
    var journal: [Step]

    enum CodingKeys: String, CodingKey {
        case format, version, control, kernel, project, manifest, instance, sidecar, replica, state, reason, since
        case incarnation, usage, ports, containment, changes, environment, probes, journal
        case madeAt = "made_at"
        case restartsTotal = "restarts_total"
        case consecutiveFailures = "consecutive_failures"
        case lastExit = "last_exit"
        case lastProbe = "last_probe"
    }
}
