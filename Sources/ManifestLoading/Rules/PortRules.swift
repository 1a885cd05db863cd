import SidecarModel
import YAMLReading

/// Who has which number for itself.
struct FixedPorts {
    private var owners: [UInt32: [(sidecar: Int, port: PortSpec)]] = [:]

    func owners(of number: UInt16, _ transport: PortSpec.Transport) -> [(sidecar: Int, port: PortSpec)] {
        owners[key(number, transport)] ?? []
    }

    mutating func add(_ port: PortSpec, number: UInt16, of sidecar: Int) {
        owners[key(number, port.transport), default: []].append((sidecar, port))
    }

    private func key(_ number: UInt16, _ transport: PortSpec.Transport) -> UInt32 {
        UInt32(number) | (transport == .udp ? 1 << 16 : 0)
    }
}

extension ManifestDecoder {
    func checkPorts(of sidecar: SidecarSpec, _ position: Int, _ fixed: inout FixedPorts) {
        guard !sidecar.ports.isEmpty else { return }
        for port in sidecar.ports {
            checkReplicas(port, of: position)
            guard case .number(let number) = port.wanted else { continue }
            let others = fixed.owners(of: number, port.transport)
            if let other = others.first(where: { $0.port.excludes(port) }) {
                reportUsedTwice(port, number: number, of: position, other: other)
            }
            fixed.add(port, number: number, of: position)
        }
        if sidecar.ports.count > 1 || sidecar.ports[0].environmentVariable != nil { checkVariables(of: position) }
    }

    private func checkReplicas(_ port: PortSpec, of position: Int) {
        let replicas = sidecars[position].replicas
        guard replicas > 1 else { return }
        switch port.wanted {
        case .automatic: break
        case .number(let number):
            report(
                .fixedPortWithReplicas, at: place(position, "ports", port.name),
                "\(replicas) replicas can't all have port \(number)",
                help: "give a range such as \(number)-\(min(65535, Int(number) + replicas - 1)), or auto")
        case .range(let first, let last):
            let size = Int(last) - Int(first) + 1
            guard size < replicas else { return }
            report(
                .portRangeTooSmall, at: place(position, "ports", port.name),
                "\(replicas) replicas share \(size) ports",
                help: "widen the range to at least \(first)-\(min(65535, Int(first) + replicas - 1)), or use auto")
        }
    }

    private func reportUsedTwice(
        _ port: PortSpec, number: UInt16, of position: Int, other: (sidecar: Int, port: PortSpec)
    ) {
        report(
            .portUsedTwice, at: place(position, "ports", port.name),
            "port \(number) is also that of '\(sidecars[other.sidecar].name)'",
            help: "use another number, a range, or auto",
            related: [related("the other is here", place(other.sidecar, "ports", other.port.name))])
    }

    private func checkVariables(of position: Int) {
        var ports: [String: String] = [:]
        for (variable, port) in portVariables(of: sidecars[position]) {
            guard let other = ports.updateValue(port, forKey: variable), other != port else { continue }
            report(
                .portVariableClash, at: place(position, "ports", port),
                "the ports '\(other)' and '\(port)' would both be in \(variable)", help: "rename one of them")
        }
    }
}
