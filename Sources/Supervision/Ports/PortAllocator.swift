import Glibc
package import SidecarModel
import Synchronization

/// What an instance asks for.
package struct PortRequest: Sendable {
    /// `db/0`
    package var instance: String
    package var port: PortSpec
    /// The one it had, which it keeps as long as that is possible and still wanted.
    package var sticky: UInt16?

    package init(instance: String, port: PortSpec, sticky: UInt16? = nil) {
        self.instance = instance
        self.port = port
        self.sticky = sticky
    }
}

/// Gives ports to instances: against other projects by the user's registry, against strangers by binding.
///
/// Every function may be called from any thread; calls exclude each other. None waits but for the file system.
package final class PortAllocator: Sendable {
    private let registry: PortRegistry
    private let stateDirectory: String
    private let ephemeral: ClosedRange<UInt16>
    private let diagnostics = Mutex(UncheckedBox(SocketDiagnostics()))

    /// The mutex around it is what keeps it to one thread at a time.
    private struct UncheckedBox: @unchecked Sendable {
        let value: SocketDiagnostics
        init(_ value: SocketDiagnostics) { self.value = value }
    }

    /// The registry is a directory common to all projects of the user, the state directory this project's own.
    package init(registry: String, stateDirectory: String) throws(PortConflict) {
        do throws(SystemError) {
            self.registry = try PortRegistry(directory: registry)
        } catch {
            throw .registry(error)
        }
        self.stateDirectory = stateDirectory
        ephemeral = Self.ephemeralRange()
    }

    /// Finds a port that none of the project's own has, and holds it.
    package func reserve(
        _ request: PortRequest, beside ports: ProjectPorts
    ) throws(PortConflict) -> PortReservation {
        guard let address = IPAddress(parsing: request.port.bind) else { throw .address(request.port.bind) }
        let lease = PortLease(
            stateDirectory: stateDirectory, instance: request.instance, name: request.port.name)
        let isTCP = request.port.transport == .tcp
        let candidates = candidates(for: request)
        var firstConflict: PortConflict?
        var idle: [(UInt16, PortLease)] = []
        for port in candidates {
            do throws(PortConflict) {
                if let sibling = ports.holder(of: port, inTheWayOf: request.port, of: request.instance) {
                    throw .sibling(port: port, instance: sibling)
                }
                switch try claim(port, isTCP, lease) {
                case .ours: return try hold(port, address, isTCP, lease, request, ports)
                // Under another name, or on another address: what the project says of its ports is newer.
                case .held(let holder) where holder.stateDirectory == stateDirectory:
                    guard try takeOver(port, isTCP, holder, lease) else { throw .leased(port: port, holder: holder) }
                    return try hold(port, address, isTCP, lease, request, ports)
                case .held(let holder):
                    idle.append((port, holder))
                    throw .leased(port: port, holder: holder)
                }
            } catch {
                if firstConflict == nil { firstConflict = error }
                switch error {
                case .taken, .closing, .sibling, .leased, .full, .tooFew: continue
                // Of a range that begins below 1024 the rest may do.
                case .refused(_, _, let reason) where reason.errno == EACCES && candidates.count > 1: continue
                case .refused, .registry, .address: throw error
                }
            }
        }
        // Only now, when nothing else is left, do projects that don't run give way.
        for (port, holder) in idle {
            guard !PortRegistry.isRunning(holder), try takeOver(port, isTCP, holder, lease) else { continue }
            if let reservation = try? hold(port, address, isTCP, lease, request, ports) { return reservation }
        }
        throw failure(candidates, firstConflict)
    }

    private func failure(_ candidates: [UInt16], _ first: PortConflict?) -> PortConflict {
        guard let low = candidates.min(), let high = candidates.max(), candidates.count > 1 else {
            return first ?? .full(first: 0, last: 0, example: "none is allowed")
        }
        // Of a range, its end would help nobody: whoever asks would have taken another one.
        if case .sibling(let port, let instance) = first {
            return .full(first: low, last: high, example: "\(port) is that of \(instance)")
        }
        return .full(first: low, last: high, example: first?.message ?? "all are taken")
    }

    /// Who has the port instead of the instance it was given to, which failed to start; by name, or not at all.
    /// - Parameter isOurs: whether a process belongs to that instance.
    package func stranger(on number: UInt16, of port: PortSpec, isOurs: (Int32) -> Bool) -> PortConflict? {
        guard let address = IPAddress(parsing: port.bind) else { return nil }
        let binding = PortBinding(address: address, port: number, isTCP: port.transport == .tcp)
        let inode = diagnostics.withLock { binding.holdersSocket(asking: $0.value) }
        guard let owner = inode.flatMap({ SocketOwner.find(inode: $0) }), owner.pid != getpid(), !isOurs(owner.pid)
        else { return nil }
        return .taken(address: "\(address)", port: number, owner: owner)
    }

    /// Gives back what this instance held; the next one to ask may have it.
    package func release(instance: String) {
        try? registry.release { $0.stateDirectory == self.stateDirectory && $0.instance == instance }
    }

    /// `down --release-ports`
    package func releaseAll() { try? registry.release { $0.stateDirectory == self.stateDirectory } }

    private func claim(_ port: UInt16, _ isTCP: Bool, _ lease: PortLease) throws(PortConflict) -> PortRegistry.Claim {
        do throws(SystemError) {
            return try registry.claim(port, isTCP: isTCP, for: lease)
        } catch {
            throw .registry(error)
        }
    }

    private func takeOver(
        _ port: UInt16, _ isTCP: Bool, _ holder: PortLease, _ lease: PortLease
    ) throws(PortConflict) -> Bool {
        do throws(SystemError) {
            return try registry.takeOver(port, isTCP: isTCP, from: holder, for: lease)
        } catch {
            throw .registry(error)
        }
    }

    private func hold(
        _ port: UInt16, _ address: IPAddress, _ isTCP: Bool, _ lease: PortLease, _ request: PortRequest,
        _ ports: ProjectPorts
    ) throws(PortConflict) -> PortReservation {
        do throws(PortConflict) {
            let socket = try diagnostics.withLock { diagnostics throws(PortConflict) in
                try PortBinding(address: address, port: port, isTCP: isTCP).bind(
                    asking: diagnostics.value, sharingLoopback: ports.isOnOtherLoopback(port, than: address))
            }
            var wanted = request.sticky
            if case .number(let number) = request.port.wanted, wanted == nil { wanted = number }
            return PortReservation(port: port, moved: wanted != nil && wanted != port, socket: socket)
        } catch {
            // A stranger has it: a lease on it would only keep our other instances from finding that out.
            registry.release(port, isTCP: isTCP, of: lease)
            throw error
        }
    }

    // MARK: Candidates

    /// In the order they are tried.
    private func candidates(for request: PortRequest) -> [UInt16] {
        var ports: [UInt16]
        if let allowed = request.port.numbers {
            ports = Array(allowed)
        } else {
            let pool = Self.pool(outside: ephemeral)
            // The same instance asks for the same port first, also where nobody remembers what it had.
            let start = Int(
                Self.hash("\(stateDirectory)\u{0}\(request.instance)\u{0}\(request.port.name)") % UInt64(pool.count))
            ports = Array(pool[start...] + pool[..<start])
        }
        if let sticky = request.sticky, let place = ports.firstIndex(of: sticky) {
            ports.remove(at: place)
            ports.insert(sticky, at: 0)
            // It does not move any more.
            if request.port.strict { return [sticky] }
        }
        return ports
    }

    /// Unprivileged ports the kernel does not hand out itself; above 20000 where that leaves enough.
    static func pool(outside ephemeral: ClosedRange<UInt16>) -> [UInt16] {
        let all = (1024...UInt16.max).filter { !ephemeral.contains($0) }
        let high = all.filter { $0 >= 20_000 }
        let pool = high.count >= 2000 ? high : all
        return pool.isEmpty ? Array(1024...UInt16.max) : pool
    }

    private static func ephemeralRange() -> ClosedRange<UInt16> {
        let words = (ProcFile.text("/proc/sys/net/ipv4/ip_local_port_range") ?? "").split(
            whereSeparator: \.isWhitespace)
        guard words.count == 2, let low = UInt16(words[0]), let high = UInt16(words[1]), low <= high else {
            return 32_768...60_999
        }
        return low...high
    }

    private static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash ^ (hash >> 29)
    }
}
