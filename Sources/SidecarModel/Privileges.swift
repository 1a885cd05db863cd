/// A resource limit of Linux, by the name it has in `limits.conf` and Compose.
package enum LimitName: String, Hashable, Codable, Sendable, CaseIterable {
    case addressSpace = "as"
    case core, cpu, data
    case fileSize = "fsize"
    case locks
    case lockedMemory = "memlock"
    case messageQueue = "msgqueue"
    case nice
    case openFiles = "nofile"
    case processes = "nproc"
    case residentSet = "rss"
    case realTimePriority = "rtprio"
    case pendingSignals = "sigpending"
    case stack

    /// Its number on x86 and ARM. `rttime` is missing: it carries the mark by which descendants are known.
    package var number: Int32 {
        switch self {
        case .cpu: 0
        case .fileSize: 1
        case .data: 2
        case .stack: 3
        case .core: 4
        case .residentSet: 5
        case .processes: 6
        case .openFiles: 7
        case .lockedMemory: 8
        case .addressSpace: 9
        case .locks: 10
        case .pendingSignals: 11
        case .messageQueue: 12
        case .nice: 13
        case .realTimePriority: 14
        }
    }

    /// It counts bytes, so a size may be given.
    package var isSize: Bool {
        switch self {
        case .addressSpace, .core, .data, .fileSize, .lockedMemory, .messageQueue, .residentSet, .stack: true
        case .cpu, .locks, .nice, .openFiles, .processes, .realTimePriority, .pendingSignals: false
        }
    }

    package var summary: String {
        switch self {
        case .addressSpace: "bytes of address space"
        case .core: "bytes of a core dump"
        case .cpu: "seconds of CPU time"
        case .data: "bytes of data"
        case .fileSize: "bytes of a file it writes"
        case .locks: "file locks"
        case .lockedMemory: "bytes locked in memory"
        case .messageQueue: "bytes in message queues"
        case .nice: "20 minus the lowest nice value it may take"
        case .openFiles: "open files"
        case .processes: "processes of its user"
        case .residentSet: "bytes of resident memory (ignored by Linux)"
        case .realTimePriority: "real-time priority"
        case .pendingSignals: "pending signals"
        case .stack: "bytes of the stack"
        }
    }
}

/// A limit a sidecar is given. A side that is nil stays as it is inherited.
package struct LimitSpec: Hashable, Codable, Sendable {
    package static let unlimited = UInt64.max

    package var name: LimitName
    package var soft: UInt64?
    package var hard: UInt64?

    package init(_ name: LimitName, soft: UInt64?, hard: UInt64?) {
        self.name = name
        self.soft = soft
        self.hard = hard
    }

    /// `1024`, `1024 (hard 4096)`. A side that is open is left out.
    package var shown: String {
        func shown(_ value: UInt64) -> String { value == Self.unlimited ? "unlimited" : "\(value)" }
        switch (soft, hard) {
        case (let soft?, let hard?) where soft != hard: return "\(shown(soft)) (hard \(shown(hard)))"
        case (let side?, _), (nil, let side?): return shown(side)
        case (nil, nil): return "it is"
        }
    }
}

/// What all processes of a sidecar may take together. Nil: no limit.
package struct ResourceSpec: Hashable, Codable, Sendable {
    package var memory: ByteCount?
    /// In CPUs: 0.5 is half of one.
    package var cpu: Double?
    package var processes: Int?

    package init(memory: ByteCount? = nil, cpu: Double? = nil, processes: Int? = nil) {
        self.memory = memory
        self.cpu = cpu
        self.processes = processes
    }

    package var isEmpty: Bool { self == ResourceSpec() }

    /// The controllers of cgroup v2 it takes, by name.
    package var controllers: [String] {
        [memory.map { _ in "memory" }, cpu.map { _ in "cpu" }, processes.map { _ in "pids" }].compactMap(\.self)
    }
}

/// Whom a sidecar's processes run as, and with what limits.
package struct PrivilegeSpec: Hashable, Codable, Sendable {
    /// A name or a number. Nil: the supervisor's.
    package var user: String?
    package var group: String?
    package var umask: UInt32?
    package var nice: Int?
    package var gainsNoPrivileges = false
    /// In the order they are written; each name once.
    package var limits: [LimitSpec] = []
    package var resources = ResourceSpec()
    /// Absolute. Processes of this executable that an earlier life left behind are ended before the first start.
    package var staleExecutable: String?

    package init() {}
}

extension StableHasher {
    mutating func combine(_ use: SecretUse) {
        combine(use.variable)
        combine(use.secret)
        combine(use.form.rawValue)
        combine(use.revision)
    }

    mutating func combine(_ limit: LimitSpec) {
        combine(limit.name.rawValue)
        combine(limit.soft) { $0.combine($1) }
        combine(limit.hard) { $0.combine($1) }
    }

    mutating func combine(_ resources: ResourceSpec) {
        combine(resources.memory) { $0.combine(Int($1.bytes)) }
        combine(resources.cpu) { $0.combine($1) }
        combine(resources.processes) { $0.combine($1) }
    }
}
