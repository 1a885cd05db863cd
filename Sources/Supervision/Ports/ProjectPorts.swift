package import SidecarModel

/// Which instance of one project has which number, or is promised it. The registry of the user's ports only tells
/// projects from each other.
package struct ProjectPorts: Sendable {
    private struct Holder {
        var instance: String
        var port: PortSpec
    }

    private var holders: [UInt16: [Holder]] = [:]
    private var numbers: [String: [UInt16]] = [:]

    package init() {}

    /// What an instance has from now on, in place of what it had.
    package mutating func assign(_ ports: [(port: PortSpec, number: UInt16)], to instance: String) {
        remove(instance)
        guard !ports.isEmpty else { return }
        for (port, number) in ports { holders[number, default: []].append(Holder(instance: instance, port: port)) }
        numbers[instance] = ports.map(\.number)
    }

    package mutating func remove(_ instance: String) {
        for number in numbers.removeValue(forKey: instance) ?? [] {
            holders[number]?.removeAll { $0.instance == instance }
            if holders[number]?.isEmpty ?? false { holders[number] = nil }
        }
    }

    /// The instance that has the number in this one's way: itself where it is another port of it. Nil: it may have it.
    package func holder(of number: UInt16, inTheWayOf port: PortSpec, of instance: String) -> String? {
        holders[number]?.first {
            ($0.instance != instance || $0.port.name != port.name) && $0.port.excludes(port)
        }?.instance
    }

    /// Whether one of ours has it on the other loopback address: declared so, and no stranger.
    func isOnOtherLoopback(_ number: UInt16, than address: IPAddress) -> Bool {
        let other = address == .loopback4 ? IPAddress.loopback6 : .loopback4
        return holders[number]?.contains { IPAddress(parsing: $0.port.bind) == other } ?? false
    }
}
