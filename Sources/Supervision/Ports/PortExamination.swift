import Glibc
package import SidecarModel
import Synchronization

/// Whether ports could be had now, for who checks a manifest: none is taken, and no lease is written.
package struct PortExamination: Sendable {
    private let registry: String?
    private let isOwn: @Sendable (PortLease) -> Bool
    private let running = RunningProjects()

    /// - Parameters:
    ///   - registry: the directory common to all projects of the user, which need not be there. Nil: there can be none.
    ///   - isOwn: whether a lease is that of the project the manifest describes, running or not.
    package init(registry: String?, isOwn: @escaping @Sendable (PortLease) -> Bool) {
        self.registry = registry
        self.isOwn = isOwn
    }

    /// Why so many instances can't each have such a port; nil when they can.
    package func conflict(over port: PortSpec, replicas: Int) -> PortConflict? {
        guard replicas > 0, let address = IPAddress(parsing: port.bind), let numbers = port.numbers else { return nil }
        let diagnostics = SocketDiagnostics()
        var free = 0
        var firstConflict: PortConflict?
        for number in numbers {
            let binding = PortBinding(address: address, port: number, isTCP: port.transport == .tcp)
            if let conflict = conflict(over: binding, asking: diagnostics, isFirst: firstConflict == nil) {
                if case .refused(_, _, let reason) = conflict, reason.errno != EACCES { return conflict }
                firstConflict = firstConflict ?? conflict
            } else {
                free += 1
                if free == replicas { return nil }
            }
        }
        guard let firstConflict, numbers.count > 1 else {
            // Too few for the replicas, free or not: the rules on ranges say so.
            return firstConflict
        }
        let (first, last, example) = (numbers.lowerBound, numbers.upperBound, firstConflict.message)
        return free == 0
            ? .full(first: first, last: last, example: example)
            : .tooFew(free: free, needed: replicas, first: first, last: last, example: example)
    }

    /// - Parameter isFirst: it is to name who holds the port. That takes long, and of a thousand nobody wants to know it.
    private func conflict(
        over binding: PortBinding, asking diagnostics: SocketDiagnostics, isFirst: Bool
    ) -> PortConflict? {
        let lease = registry.flatMap {
            PortRegistry.lease(at: PortRegistry.path(binding.port, isTCP: binding.isTCP, in: $0))
        }
        let isOwn = lease.map(isOwn) ?? false
        if let lease, !isOwn, running.contains(lease) { return .leased(port: binding.port, holder: lease) }
        var socket: UInt32?
        do throws(PortConflict) {
            let bound = try binding.bind(asking: diagnostics, sharingLoopback: false) { inode in
                socket = inode
                return nil
            }
            close(bound)
            return nil
        } catch {
            if let lease, isOwn, isInOrder(error, holder: socket, lease) { return nil }
            guard isFirst, case .taken(let address, let port, _) = error else { return error }
            return .taken(address: address, port: port, owner: socket.flatMap { SocketOwner.find(inode: $0) })
        }
    }

    /// Whether a port of the manifest's project is not free because that project has it.
    private func isInOrder(_ conflict: PortConflict, holder: UInt32?, _ lease: PortLease) -> Bool {
        switch conflict {
        case .taken, .closing: break
        case .sibling, .leased, .full, .tooFew, .refused, .registry, .address: return false
        }
        let project = ProjectLife(stateDirectory: lease.stateDirectory)
        if project.runs(lease.instance) { return true }
        guard let owner = holder.flatMap({ SocketOwner.find(inode: $0) }) else {
            // It can't be told. Who runs has found out, or will.
            return running.contains(lease)
        }
        return project.includes(owner.pid)
    }
}

/// Remembers which projects run, as to find that out takes all locks of the machine.
private final class RunningProjects: Sendable {
    /// By state directory.
    private let known = Mutex<[String: Bool]>([:])

    func contains(_ lease: PortLease) -> Bool {
        if let answer = known.withLock({ $0[lease.stateDirectory] }) { return answer }
        let answer = PortRegistry.isRunning(lease)
        known.withLock { $0[lease.stateDirectory] = answer }
        return answer
    }
}
