import Glibc
package import SidecarModel

/// Whether ports could be had now, for who checks a manifest: none is taken, and no lease is written.
package struct PortExamination: Sendable {
    private let registry: String?
    private let isOwn: @Sendable (PortLease) -> Bool

    /// - Parameters:
    ///   - registry: the directory common to all projects of the user, which need not be there. Nil: there can be none.
    ///   - isOwn: whether a lease is that of the project the manifest describes, which runs.
    package init(registry: String?, isOwn: @escaping @Sendable (PortLease) -> Bool) {
        self.registry = registry
        self.isOwn = isOwn
    }

    /// Why so many instances can't each have such a port; nil when they can.
    package func conflict(over port: PortSpec, replicas: Int) -> PortConflict? {
        guard replicas > 0, let address = IPAddress(parsing: port.bind), let candidates = port.numbers
        else { return nil }
        let diagnostics = SocketDiagnostics()
        var free = 0
        var firstConflict: PortConflict?
        for number in candidates {
            let binding = PortBinding(address: address, port: number, isTCP: port.transport == .tcp)
            if let conflict = conflict(over: binding, asking: diagnostics) {
                if case .refused = conflict { return conflict }
                firstConflict = firstConflict ?? conflict
            } else {
                free += 1
                if free == replicas { return nil }
            }
        }
        guard let firstConflict, let first = candidates.first, let last = candidates.last, first != last else {
            // Too few for the replicas, free or not: the rules on ranges say so.
            return firstConflict
        }
        let example = firstConflict.message
        return free == 0
            ? .full(first: first, last: last, example: example)
            : .tooFew(free: free, needed: replicas, first: first, last: last, example: example)
    }

    private func conflict(over binding: PortBinding, asking diagnostics: SocketDiagnostics) -> PortConflict? {
        let link = registry.map { PortRegistry.path(binding.port, isTCP: binding.isTCP, in: $0) }
        if let holder = link.flatMap(PortRegistry.lease), PortRegistry.isRunning(holder) {
            return isOwn(holder) ? nil : .leased(port: binding.port, holder: holder)
        }
        do {
            close(try binding.bind(asking: diagnostics, sharingLoopback: false))
            return nil
        } catch {
            return error
        }
    }
}
