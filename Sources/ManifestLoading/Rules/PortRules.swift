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

extension PortSpec {
    fileprivate var isNumber: Bool { if case .number = wanted { true } else { false } }

    /// Nil: any number will do.
    fileprivate var bounds: ClosedRange<Int>? {
        switch wanted {
        case .number(let number): Int(number)...Int(number)
        case .range(let first, let last): Int(first)...Int(last)
        case .automatic: nil
        }
    }
}

/// Programs, the loader and this program go by what these say.
private func hasMeaning(_ variable: String) -> Bool {
    let names = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "TZ", "TMPDIR", "IFS", "ENV", "NOTIFY_SOCKET",
        SecretUse.directoryVariable,
    ]
    return names.contains(variable) || ["LD_", "LC_", "ORCHESTRATE_"].contains { variable.hasPrefix($0) }
}

extension ManifestDecoder {
    func checkPorts(of sidecar: SidecarSpec, _ position: Int, _ fixed: inout FixedPorts) {
        guard !sidecar.ports.isEmpty else { return }
        for port in sidecar.ports {
            checkReplicas(port, of: position)
            // An external one's is whoever's it is; one that may move goes round the others.
            guard case .number(let number) = port.wanted, port.strict, sidecar.kind != .external, sidecar.replicas > 0
            else { continue }
            let others = fixed.owners(of: number, port.transport)
            if let other = others.first(where: { $0.port.excludes(port) }) {
                reportUsedTwice(port, number: number, of: position, other: other)
            }
            fixed.add(port, number: number, of: position)
        }
        if sidecar.ports.count > 1 { checkRanges(of: position) }
        if sidecar.ports.count > 1 || sidecar.ports[0].environmentVariable != nil { checkVariables(of: position) }
    }

    private func checkReplicas(_ port: PortSpec, of position: Int) {
        let replicas = sidecars[position].replicas
        guard replicas > 1 else { return }
        switch port.wanted {
        case .automatic: break
        case .number(let number):
            report(
                .fixedPortWithReplicas, at: place(ofPort: port.name, of: position),
                "\(replicas) replicas can't all have port \(number)",
                help: "give a range such as \(number)-\(min(65535, Int(number) + replicas - 1)), or auto")
        case .range(let first, let last):
            let size = Int(last) - Int(first) + 1
            guard size < replicas else { return }
            report(
                .portRangeTooSmall, at: place(ofPort: port.name, of: position),
                "\(replicas) replicas share \(size) ports",
                help: "widen the range to at least \(first)-\(min(65535, Int(first) + replicas - 1)), or use auto")
        }
    }

    private func reportUsedTwice(
        _ port: PortSpec, number: UInt16, of position: Int, other: (sidecar: Int, port: PortSpec)
    ) {
        report(
            .portUsedTwice, at: place(ofPort: port.name, of: position),
            "port \(number) is also that of '\(sidecars[other.sidecar].name)'",
            help: "use another number, a range, or auto",
            related: [related("the other is here", place(ofPort: other.port.name, of: other.sidecar))])
    }

    /// Several ports of one sidecar may have to share what numbers there are.
    private func checkRanges(of position: Int) {
        let replicas = sidecars[position].replicas
        let byAddress = Dictionary(grouping: sidecars[position].ports) { "\($0.transport.rawValue) \($0.bind)" }
        for ports in byAddress.values where ports.count > 1 {
            if let port = portWithoutNumber(among: ports, times: 1) {
                report(
                    .portRangesTooFull, at: place(ofPort: port.name, of: position),
                    "no number is left for '\(port.name)': other ports of '\(sidecars[position].name)' take all of its "
                        + "range", help: "widen the range, or use auto")
            } else if replicas > 1, ports.allSatisfy({ ($0.bounds?.count ?? .max) >= replicas }),
                let port = portWithoutNumber(among: ports, times: replicas)
            {
                report(
                    .portRangeTooSmall, at: place(ofPort: port.name, of: position),
                    "the ports of \(replicas) replicas share too few numbers", help: "widen the range, or use auto")
            }
        }
    }

    /// Numbers in their order, each to the port whose range ends first: where that leaves one without, any way does.
    private func portWithoutNumber(among ports: [PortSpec], times: Int) -> PortSpec? {
        // One that has its number alone was compared with all others.
        let waiting = ports.compactMap { port in port.bounds.map { (port: port, bounds: $0) } }
            .sorted { ($0.bounds.lowerBound, $0.bounds.upperBound) < ($1.bounds.lowerBound, $1.bounds.upperBound) }
        guard waiting.count * times <= 10_000, waiting.contains(where: { !$0.port.isNumber }) else { return nil }
        var open: [(port: PortSpec, last: Int, left: Int)] = []
        var next = 0
        var number = 0
        while next < waiting.count || !open.isEmpty {
            if open.isEmpty { number = max(number, waiting[next].bounds.lowerBound) }
            while next < waiting.count, waiting[next].bounds.lowerBound <= number {
                open.append((waiting[next].port, waiting[next].bounds.upperBound, times))
                next += 1
            }
            // Of two the one that has no other.
            guard
                let position = open.indices.min(by: { left, right in
                    (open[left].last, open[left].port.isNumber ? 0 : 1)
                        < (open[right].last, open[right].port.isNumber ? 0 : 1)
                })
            else { break }
            if open[position].last < number { return open[position].port.isNumber ? nil : open[position].port }
            number += 1
            open[position].left -= 1
            if open[position].left == 0 { open.remove(at: position) }
        }
        return nil
    }

    private func checkVariables(of position: Int) {
        for port in sidecars[position].ports {
            guard let variable = port.environmentVariable, hasMeaning(variable) else { continue }
            report(
                .portVariableClash, at: place(position, "ports", port.name, "env"),
                "'\(variable)' has a meaning of its own, and can't carry the port '\(port.name)'",
                help: "choose another name, such as LISTEN_PORT")
        }
        var ports: [String: String] = [:]
        for (variable, port) in portVariables(of: sidecars[position]) {
            guard let other = ports.updateValue(port, forKey: variable), other != port else { continue }
            report(
                .portVariableClash, at: place(position, "ports", port),
                "the ports '\(other)' and '\(port)' would both be in \(variable)", help: "rename one of them")
        }
    }
}
