package import SidecarModel

/// How a process ended, as programs read it: one of the two, or neither when nobody could look.
package struct ExitReport: Hashable, Codable, Sendable {
    package var code: Int32?
    /// `SIGKILL`
    package var signal: String?
    /// As a shell shows it: the code, or 128 plus the signal.
    package var shellCode: Int32
    /// The kernel killed it for want of memory. Nil: it did not, or does not say.
    package var isOutOfMemory: Bool?

    enum CodingKeys: String, CodingKey {
        case code, signal, shellCode = "shell_code", isOutOfMemory = "out_of_memory"
    }

    package init(_ status: ExitStatus) {
        switch status {
        case .code(let code): self.code = code
        case .signal(let signal): self.signal = signal.description
        case .outOfMemory:
            signal = Signal.kill.description
            isOutOfMemory = true
        case .unknown: break
        }
        shellCode = status.shellCode
    }

    /// `exit 1`, `SIGKILL`
    package var sentence: String {
        if let code { return "exit \(code)" }
        if isOutOfMemory == true { return ExitStatus.outOfMemory.description }
        return signal ?? "exit status unknown"
    }
}

/// What is known of an instance's health.
package enum Health: String, Hashable, Codable, Sendable, CaseIterable {
    /// Nothing runs that could be healthy.
    case none
    /// It runs, and has not shown yet that it is well.
    case starting
    case healthy
    case unhealthy

    package init(of state: StateName) {
        switch state {
        case .healthy: self = .healthy
        case .unhealthy: self = .unhealthy
        case .starting: self = .starting
        case .waiting, .stopping, .stopped, .backoff, .completed, .failed, .blocked, .scheduled: self = .none
        }
    }
}

/// A port an instance has been given.
package struct PortReport: Hashable, Codable, Sendable {
    package var instance: String
    package var name: String
    package var number: UInt16
    package var bind: String
    package var transport: PortSpec.Transport
    /// `http://127.0.0.1:8080` where an HTTP probe says that it is one.
    package var url: String?

    package init(
        instance: String, name: String, number: UInt16, bind: String, transport: PortSpec.Transport, url: String? = nil
    ) {
        self.instance = instance
        self.name = name
        self.number = number
        self.bind = bind
        self.transport = transport
        self.url = url
    }

    package var address: String { bind.contains(":") ? "[\(bind)]:\(number)" : "\(bind):\(number)" }
}

/// CPU and memory of everything an instance runs.
package struct UsageReport: Hashable, Codable, Sendable {
    /// CPU time used so far by what lives.
    package var cpuMilliseconds: Int64
    /// Proportional or resident set, as far as it could be read.
    package var memoryBytes: Int64

    enum CodingKeys: String, CodingKey { case cpuMilliseconds = "cpu_ms", memoryBytes = "memory_bytes" }

    package init(cpuMilliseconds: Int64, memoryBytes: Int64) {
        self.cpuMilliseconds = cpuMilliseconds
        self.memoryBytes = memoryBytes
    }
}

/// A client at an instance's standard input and output.
package struct ClientReport: Hashable, Codable, Sendable {
    /// The client's own. Nil: it is not known.
    package var pid: Int32?
    /// Of the process that serves this client alone, where there is one and it runs.
    package var processID: Int32?

    enum CodingKeys: String, CodingKey { case pid, processID = "process" }

    package init(pid: Int32?, processID: Int32?) {
        self.pid = pid
        self.processID = processID
    }
}

/// One instance as `status --json` shows it.
package struct InstanceReport: Hashable, Codable, Sendable {
    /// As people write it: `db`, or `mcp/0` where there are several.
    package var name: String
    package var sidecar: String
    package var replica: Int
    package var kind: SidecarSpec.Kind
    package var state: StateName
    package var health: Health
    /// Wanted up by the last request.
    package var isWanted: Bool
    package var incarnation: UInt64
    package var pid: Int32?
    package var startedAt: Timestamp?
    package var since: Timestamp
    package var restartsTotal: Int
    package var consecutiveFailures: Int
    package var lastExit: ExitReport?
    /// Why it is in this state, as a sentence.
    package var reason: String
    /// `waiting`, `blocked`: whom it needs first. `stopping`: who is to be gone first.
    package var waitingFor: [String]
    /// `stopping`: how far that is. Nil otherwise, and where nobody supervises it.
    package var stop: StopReport?
    /// `backoff`, `failed`: when it is tried again.
    package var until: Timestamp?
    package var ports: [PortReport]
    /// It answers, but who owns the socket could not be read.
    package var isUnverified: Bool
    /// Last result of its readiness probe, as a sentence.
    package var lastProbe: String?
    package var usage: UsageReport?
    package var isPrimary: Bool
    /// Of one that runs a process for each client: where any program may connect, while it may.
    package var socket: String?
    /// Who is at its standard input and output. Nil: it offers them to nobody.
    package var clients: [ClientReport]?
    /// True: no longer declared, and on its way out. Nil: declared.
    package var isRemoved: Bool?
    /// True: it lives as it was, and its replacement is to come. Nil: none is.
    package var isRestartPending: Bool?
    /// True: the same, once what failed before its turn is well again; `reason` says what. Nil: nothing did.
    package var isRestartHalted: Bool?
    /// True: it is started again however it ends, and so never completes.
    package var neverCompletes: Bool?

    enum CodingKeys: String, CodingKey {
        case name, sidecar, replica, kind, state, health, incarnation, pid, since, reason, stop, until, ports, usage
        case socket, clients
        case isWanted = "wanted"
        case startedAt = "started_at"
        case restartsTotal = "restarts_total"
        case consecutiveFailures = "consecutive_failures"
        case lastExit = "last_exit"
        case waitingFor = "waiting_for"
        case isUnverified = "unverified"
        case lastProbe = "last_probe"
        case isPrimary = "primary"
        case isRemoved = "removed"
        case isRestartPending = "restart_pending"
        case isRestartHalted = "restart_halted"
        case neverCompletes = "never_completes"
    }

    package init(
        name: String, sidecar: String, replica: Int, kind: SidecarSpec.Kind, state: StateName, isWanted: Bool,
        incarnation: UInt64, pid: Int32? = nil, startedAt: Timestamp? = nil, since: Timestamp, restartsTotal: Int = 0,
        consecutiveFailures: Int = 0, lastExit: ExitReport? = nil, reason: String = "", waitingFor: [String] = [],
        stop: StopReport? = nil, until: Timestamp? = nil, ports: [PortReport] = [], isUnverified: Bool = false,
        lastProbe: String? = nil,
        usage: UsageReport? = nil, isPrimary: Bool = false, socket: String? = nil, clients: [ClientReport]? = nil,
        isRemoved: Bool? = nil, isRestartPending: Bool? = nil, isRestartHalted: Bool? = nil,
        neverCompletes: Bool? = nil
    ) {
        self.name = name
        self.sidecar = sidecar
        self.replica = replica
        self.kind = kind
        self.state = state
        health = Health(of: state)
        self.isWanted = isWanted
        self.incarnation = incarnation
        self.pid = pid
        self.startedAt = startedAt
        self.since = since
        self.restartsTotal = restartsTotal
        self.consecutiveFailures = consecutiveFailures
        self.lastExit = lastExit
        self.reason = reason
        self.waitingFor = waitingFor
        self.stop = stop
        self.until = until
        self.ports = ports
        self.isUnverified = isUnverified
        self.lastProbe = lastProbe
        self.usage = usage
        self.isPrimary = isPrimary
        self.socket = socket
        self.clients = clients
        self.isRemoved = isRemoved
        self.isRestartPending = isRestartPending
        self.isRestartHalted = isRestartHalted
        self.neverCompletes = neverCompletes
    }
}
