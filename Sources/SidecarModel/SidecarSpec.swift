/// What the manifest says of the project as a whole, resolved.
package struct ProjectSpec: Hashable, Codable, Sendable {
    package enum OnSupervisorExit: String, Hashable, Codable, Sendable, CaseIterable { case keep, stop }

    package var name: String
    /// The manifest's `id`: the project's identity whatever path the manifest has.
    package var id: String?
    /// Directory of the manifest, absolute.
    package var directory: String
    /// The same without symbolic links. Nil: it could not be found out.
    package var canonicalDirectory: String?
    /// How many sidecars may be starting at the same time. Nil: no cap.
    package var maxParallelStarts: Int?
    /// In the order they are declared.
    package var secrets: [SecretSpec] = []
    /// Nil: `keep` for a detached project, `stop` for one in the foreground.
    package var onSupervisorExit: OnSupervisorExit?

    package init(
        name: String, id: String? = nil, directory: String, maxParallelStarts: Int? = nil,
        onSupervisorExit: OnSupervisorExit? = nil
    ) {
        self.name = name
        self.id = id
        self.directory = directory
        self.maxParallelStarts = maxParallelStarts
        self.onSupervisorExit = onSupervisorExit
    }
}

/// One sidecar, resolved: defaults filled in, short forms expanded, paths absolute, `${VAR}` replaced.
package struct SidecarSpec: Hashable, Codable, Sendable {
    package enum Kind: String, Hashable, Codable, Sendable, CaseIterable { case service, task, external }

    package enum Program: Hashable, Codable, Sendable {
        /// argv; the first is looked up in the sidecar's PATH when it has no slash.
        case command([Template])
        /// A script for `/bin/sh -c`.
        case shell(Template)
    }

    /// What its standard input and output are connected to.
    package enum StandardIO: String, Hashable, Codable, Sendable, CaseIterable {
        /// It reads nothing, and what it prints is logged.
        case none
        /// One client at a time may attach to them.
        case socket
        case perClient = "per_client"
    }

    package var name: String
    package var kind: Kind
    package var description: String?
    /// Nil only for an external sidecar.
    package var program: Program?
    /// Absolute, after rendering.
    package var workingDirectory: Template
    /// The same without symbolic links, where it could be looked up: what tells one directory from another.
    package var canonicalDirectory: String?
    /// Top `env_file` < top `env` < own `env_file` < own `env`, merged; in order of first mention.
    package var environment: [EnvironmentEntry]
    /// The inherited environment is dropped but for PATH, HOME, USER, LANG and TZ.
    package var clearsEnvironment: Bool
    /// Laid over the environment; in order of first mention.
    package var secrets: [SecretUse] = []
    package var privileges = PrivilegeSpec()
    package var ports: [PortSpec]
    package var dependencies: [DependencySpec]
    package var health: HealthSpec
    package var start: StartSpec
    package var restart: RestartSpec
    package var stop: StopSpec
    /// Tasks: the longest run.
    package var timeout: Duration?
    package var hooks: [HookSpec]
    package var logs: LogSpec
    package var stdio = StandardIO.none
    /// Its final end is the project's end.
    package var primary: Bool
    package var replicas: Int
    /// One per manifest key whose value is not the default, in the order of the key table.
    package var fingerprints: [KeyFingerprint]

    package init(name: String, kind: Kind = .service, program: Program? = nil) {
        self.name = name
        self.kind = kind
        self.program = program
        workingDirectory = Template("/")
        environment = []
        clearsEnvironment = false
        ports = []
        dependencies = []
        health = HealthSpec()
        start = StartSpec()
        restart = RestartSpec(policy: kind == .task ? .never : .always)
        stop = StopSpec()
        hooks = []
        logs = LogSpec()
        primary = false
        replicas = 1
        fingerprints = []
    }

    /// How long it has to be alive to count as healthy without a probe. Open to clients is all that one can be that runs
    /// a process for each.
    package var settlingTime: Duration { stdio == .perClient ? .zero : start.settle }

    /// What a restart is decided by: equal for two specs that differ only in what can change in place.
    package var restartFingerprint: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in fingerprints where part.onChange == .restart {
            hash = (hash ^ part.value) &* 0x100_0000_01b3
        }
        return hash
    }
}

/// A variable of a sidecar's environment.
package struct EnvironmentEntry: Hashable, Codable, Sendable {
    package var name: String
    /// Nil removes an inherited variable.
    package var value: Template?

    package init(name: String, value: Template?) {
        self.name = name
        self.value = value
    }
}

/// What a change of a manifest key asks for.
package enum ChangeEffect: String, Hashable, Codable, Sendable, CaseIterable { case restart, inPlace, ignore }

/// A stable hash over the resolved value of one key of a sidecar, to tell what changed between two manifests.
package struct KeyFingerprint: Hashable, Codable, Sendable {
    package var key: String
    package var value: UInt64
    package var onChange: ChangeEffect

    package init(key: String, value: UInt64, onChange: ChangeEffect) {
        self.key = key
        self.value = value
        self.onChange = onChange
    }
}

/// A port a sidecar is given.
package struct PortSpec: Hashable, Codable, Sendable {
    package enum Wanted: Hashable, Codable, Sendable {
        case number(UInt16)
        /// Both ends included.
        case range(UInt16, UInt16)
        case automatic
    }

    package enum Transport: String, Hashable, Codable, Sendable, CaseIterable { case tcp, udp }

    package var name: String
    package var wanted: Wanted
    /// A numeric address, `127.0.0.1` by default.
    package var bind: String
    /// The variable that carries it besides `NAME_PORT` (and `PORT`, when it is the only one).
    package var environmentVariable: String?
    /// Fail rather than move when a stranger holds it.
    package var strict: Bool
    package var transport: Transport

    package init(
        name: String, wanted: Wanted, bind: String = "127.0.0.1", environmentVariable: String? = nil,
        strict: Bool? = nil, transport: Transport = .tcp
    ) {
        self.name = name
        self.wanted = wanted
        self.bind = bind
        self.environmentVariable = environmentVariable
        if let strict {
            self.strict = strict
        } else if case .number = wanted {
            self.strict = true
        } else {
            self.strict = false
        }
        self.transport = transport
    }

    /// How far a single number that is not strict may move.
    private static let reach: UInt16 = 1000

    /// Those it may be given, which are tried upwards. Nil: any.
    package var numbers: ClosedRange<UInt16>? {
        switch wanted {
        case .number(let number) where strict: number...number
        case .number(let number): number...(number > .max - Self.reach ? .max : number + Self.reach)
        case .range(let first, let last): min(first, last)...max(first, last)
        case .automatic: nil
        }
    }

    /// Whether a number that was given before, perhaps under another declaration, can be kept.
    package func allows(_ number: UInt16) -> Bool { numbers?.contains(number) ?? true }

    /// One number can't be that of both.
    package func excludes(_ other: PortSpec) -> Bool {
        transport == other.transport
            && (bind == other.bind || [bind, other.bind].contains { $0 == "0.0.0.0" || $0 == "::" })
    }
}

/// An edge of the graph as its dependent declares it.
package struct DependencySpec: Hashable, Codable, Sendable {
    package enum Condition: String, Hashable, Codable, Sendable, CaseIterable {
        case started, healthy, succeeded, completed
    }

    package var sidecar: String
    package var condition: Condition
    /// False: order only. Its failure, or its absence from the selection, does not hold the dependent back.
    package var required: Bool
    /// How many instances must hold the condition. Nil: all.
    package var quorum: Int?

    package init(sidecar: String, condition: Condition, required: Bool = true, quorum: Int? = nil) {
        self.sidecar = sidecar
        self.condition = condition
        self.required = required
        self.quorum = quorum
    }
}

package struct StartSpec: Hashable, Codable, Sendable {
    /// Not healthy by then is a failed start. Zero: no limit.
    package var timeout: Duration = .seconds(60)
    /// Without readiness, healthy means alive that long.
    package var settle: Duration = .seconds(1)

    package init(timeout: Duration = .seconds(60), settle: Duration = .seconds(1)) {
        self.timeout = timeout
        self.settle = settle
    }
}

package struct RestartSpec: Hashable, Codable, Sendable {
    package enum Policy: String, Hashable, Codable, Sendable, CaseIterable {
        case always, onFailure = "on-failure", never
    }

    package var policy: Policy
    package var delay: Duration = .milliseconds(500)
    package var factor: Double = 2
    package var maxDelay: Duration = .seconds(30)
    /// A share of the delay, 0…1: 0.1 is ±10 %.
    package var jitter: Double = 0.1
    /// Continuous health that clears the consecutive count.
    package var resetAfter: Duration = .seconds(60)
    /// Consecutive restarts. 0: for ever.
    package var maxAttempts: Int = 10
    /// Sliding window in which `maxAttempts` restarts are too many. Nil: only consecutive ones count.
    package var window: Duration?
    /// Exit codes that are a success besides 0.
    package var successCodes: [Int32] = []
    /// Exit codes after which no restart is tried.
    package var noRestartCodes: [Int32] = []
    /// A failed service is tried again after this. Zero: never.
    package var retryFailedAfter: Duration

    package init(policy: Policy, retryFailedAfter: Duration? = nil) {
        self.policy = policy
        self.retryFailedAfter = retryFailedAfter ?? (policy == .never ? .zero : .seconds(300))
    }
}

package struct StopSpec: Hashable, Codable, Sendable {
    package enum Target: String, Hashable, Codable, Sendable, CaseIterable { case mixed, group, leader }

    package struct Step: Hashable, Codable, Sendable {
        package var signal: Signal
        package var wait: Duration

        package init(signal: Signal, wait: Duration) {
            self.signal = signal
            self.wait = wait
        }
    }

    package var signal: Signal = .terminate
    package var grace: Duration = .seconds(10)
    /// Instead of `signal` and `grace` when not empty. SIGKILL always follows.
    package var steps: [Step] = []
    package var target: Target = .mixed

    package init() {}

    /// The signals to send and how long to wait after each.
    package var sequence: [Step] { steps.isEmpty ? [Step(signal: signal, wait: grace)] : steps }
}

package enum HookEvent: String, Hashable, Codable, Sendable, CaseIterable {
    case preStart = "pre_start"
    case postStart = "post_start"
    case onHealthy = "on_healthy"
    case onUnhealthy = "on_unhealthy"
    case onCrash = "on_crash"
    case onFailed = "on_failed"
    case preStop = "pre_stop"
    case postStop = "post_stop"
}

package struct HookSpec: Hashable, Codable, Sendable {
    package enum Action: Hashable, Codable, Sendable {
        case command([Template])
        case shell(Template)
        /// An `http://` URL that gets the facts as a JSON POST.
        case webhook(Template)
    }

    package var event: HookEvent
    package var action: Action
    package var timeout: Duration

    package init(event: HookEvent, action: Action, timeout: Duration = .seconds(30)) {
        self.event = event
        self.action = action
        self.timeout = timeout
    }
}

package struct LogSpec: Hashable, Codable, Sendable {
    package enum Format: String, Hashable, Codable, Sendable, CaseIterable { case text, json }

    /// Absolute. Nil: `logs` in the state directory.
    package var directory: String?
    package var maxSize = ByteCount(bytes: 10 << 20)
    package var maxFiles: Int = 5
    package var maxAge: Duration?
    /// Rotated files are gzipped.
    package var compress: Bool = false
    package var format: Format = .text
    package var timestamps: Bool = true
    /// stdout and stderr through one FIFO: exact order, one stream name.
    package var mergesStandardError: Bool = false
    /// How long a sidecar waits on a full disk before whole lines are dropped.
    package var block: Duration = .seconds(5)

    package init() {}
}
