import Planning
import SidecarModel
import Supervision

/// An instance by what people call it.
struct InstanceName: Hashable, Sendable {
    var sidecar: String
    var replica: Int

    /// `db/0`: how it is indexed everywhere inside, however many there are.
    var indexed: String { "\(sidecar)/\(replica)" }

    init(sidecar: String, replica: Int) {
        self.sidecar = sidecar
        self.replica = replica
    }

    var logInstance: LogInstance { LogInstance(sidecar: sidecar, replica: replica) }

    /// Under which the keeper holds its log's read ends: FNV-1a of its name. They are not for the next supervisor.
    var holdKey: UInt64 {
        indexed.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            & ~HeldDescriptor.returnedKey
    }

    /// Reads `db/0`.
    init?(indexed: String) {
        guard let slash = indexed.utf8.lastIndex(of: UInt8(ascii: "/")),
            let replica = Int(indexed[indexed.index(after: slash)...])
        else { return nil }
        self.init(sidecar: String(indexed[..<slash]), replica: replica)
    }
}

/// Which port each instance has, and with it what every `${…}` reference stands for.
struct AddressBook {
    /// By instance, then in the order the sidecar declares its ports.
    private var ports: [InstanceName: [(name: String, number: UInt16)]] = [:]
    /// The same by number, but for those of others: what is external is where it is.
    private(set) var own = ProjectPorts()
    /// Those that could not get one when they were last to start: at what was meant for them somebody else answers.
    private var refused: Set<InstanceName> = []
    var dataDirectory = ""

    /// Whether it was given what it asked for when it was last to start.
    func isRefused(_ instance: InstanceName) -> Bool { refused.contains(instance) }

    mutating func setRefused(_ isRefused: Bool, _ instance: InstanceName) {
        if isRefused { refused.insert(instance) } else { refused.remove(instance) }
    }

    func ports(of instance: InstanceName) -> [(name: String, number: UInt16)] { ports[instance] ?? [] }

    func port(_ name: String, of instance: InstanceName) -> UInt16? {
        ports[instance]?.first { $0.name == name }?.number
    }

    mutating func assign(_ assigned: [(name: String, number: UInt16)], to instance: InstanceName, of spec: SidecarSpec)
    {
        ports[instance] = assigned
        guard spec.kind != .external else { return own.remove(instance.indexed) }
        own.assign(
            assigned.compactMap { name, number in
                spec.ports.first { $0.name == name }.map { ($0, number) }
            }, to: instance.indexed)
    }

    /// One of its ports is another number than it was, or none yet. One that had none has not moved.
    func hasMoved(_ instance: InstanceName, since before: AddressBook) -> Bool {
        before.ports(of: instance).contains { name, number in port(name, of: instance) != number }
    }

    mutating func forget(_ instance: InstanceName) {
        ports[instance] = nil
        refused.remove(instance)
        own.remove(instance.indexed)
    }

    /// Throws `SpawnFailure` at step `reference`: names that a manifest which was valid can't leave open.
    func value(
        of reference: Reference, for instance: InstanceName, in plan: Plan, specs: (String) -> SidecarSpec?
    ) throws(SpawnFailure) -> String {
        switch reference {
        case .port(let name):
            return try number(of: name, instance)
        case .sidecarPort(let sidecar, let replica, let port):
            return try number(of: port, InstanceName(sidecar: sidecar, replica: replica ?? 0))
        case .sidecarHost(let sidecar):
            guard let spec = specs(sidecar) else { throw Self.unknown(sidecar) }
            return spec.ports.first?.bind ?? "127.0.0.1"
        case .sidecarAddresses(let sidecar, let port):
            guard let spec = specs(sidecar) else { throw Self.unknown(sidecar) }
            let host = spec.ports.first { $0.name == port }?.bind ?? "127.0.0.1"
            var addresses: [String] = []
            for replica in 0..<spec.replicas {
                let number = try number(of: port, InstanceName(sidecar: sidecar, replica: replica))
                addresses.append(host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(number)" : "\(host):\(number)")
            }
            return addresses.joined(separator: ",")
        case .projectName: return plan.project.name
        case .projectDirectory: return plan.project.directory
        case .projectData: return dataDirectory
        case .sidecarName: return instance.sidecar
        case .replica: return String(instance.replica)
        }
    }

    private func number(of port: String, _ instance: InstanceName) throws(SpawnFailure) -> String {
        guard let number = self.port(port, of: instance) else {
            throw SpawnFailure(
                step: .reference, message: "'\(instance.indexed)' has been given no port '\(port)'")
        }
        return String(number)
    }

    private static func unknown(_ sidecar: String) -> SpawnFailure {
        SpawnFailure(step: .reference, message: "there is no sidecar '\(sidecar)' to refer to")
    }
}
