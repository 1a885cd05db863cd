import CProcess
import Glibc

/// Binds a port to find out whether it is free, and to keep it so.
struct PortBinding {
    var address: IPAddress
    var port: UInt16
    var isTCP: Bool

    /// A socket bound to it, closed on exec.
    /// - Parameters:
    ///   - sharingLoopback: who listens on the other loopback address is no stranger.
    ///   - findOwner: of a socket, by its inode.
    func bind(
        asking diagnostics: SocketDiagnostics, sharingLoopback: Bool,
        findOwner: (UInt32) -> SocketOwner? = { SocketOwner.find(inode: $0) }
    ) throws(PortConflict) -> Int32 {
        if !sharingLoopback, let stranger = otherLoopbackListener(diagnostics) {
            throw .taken(address: stranger.address, port: port, owner: findOwner(stranger.inode))
        }
        do throws(SystemError) {
            return try bind(reusing: false)
        } catch  where error.errno == EADDRINUSE {
            return try bindAfterClosing(diagnostics, findOwner)
        } catch {
            throw .refused(address: "\(address)", port: port, error)
        }
    }

    private func bind(reusing: Bool) throws(SystemError) -> Int32 {
        let fd = try newSocket()
        if reusing {
            var one: Int32 = 1
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        guard address.withSocketAddress(port: port, { Glibc.bind(fd, $0, $1) }) == 0 else {
            let failure = SystemError.last("bind")
            close(fd)
            throw failure
        }
        return fd
    }

    /// One that was never below ORCH_LOW_DESCRIPTORS. Of those below, a child that is just being spawned has a copy until
    /// it executes: let go of here, the port would still be held there, against the very sidecar it was held for.
    private func newSocket() throws(SystemError) -> Int32 {
        let kind = Int32((isTCP ? SOCK_STREAM : SOCK_DGRAM).rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        var low: [Int32] = []
        defer { for descriptor in low { close(descriptor) } }
        while true {
            var fd = socket(address.family.number, kind, 0)
            guard fd >= 0 else { throw .last("socket") }
            if fd >= ORCH_LOW_DESCRIPTORS { return fd }
            // This one is never bound: it and its copies take the low numbers, so that the next one gets none.
            while fd < ORCH_LOW_DESCRIPTORS {
                low.append(fd)
                fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)
                guard fd >= 0 else { throw .last("dup") }
            }
            close(fd)
        }
    }

    /// In use; but only by connections on their way out, as after a restart: then they are no obstacle.
    private func bindAfterClosing(
        _ diagnostics: SocketDiagnostics, _ findOwner: (UInt32) -> SocketOwner?
    ) throws(PortConflict) -> Int32 {
        let (own, wide) = obstacles(diagnostics)
        let sockets = own + wide
        guard isTCP, !sockets.isEmpty, sockets.allSatisfy(\.isClosing) else {
            let owner = (Self.holder(among: own) ?? Self.holder(among: wide)).flatMap(findOwner)
            throw .taken(address: "\(address)", port: port, owner: owner)
        }
        do throws(SystemError) {
            return try bind(reusing: true)
        } catch  where error.errno == EADDRINUSE {
            throw .closing(address: "\(address)", port: port)
        } catch {
            throw .refused(address: "\(address)", port: port, error)
        }
    }

    /// The socket that keeps whoever tries from binding it. Nil: it can be bound, or which one it is can't be told.
    func holdersSocket(asking diagnostics: SocketDiagnostics) -> UInt32? {
        // Of a socket on all addresses of the other family only the bind tells whether it is in the way of this one.
        do throws(SystemError) {
            close(try bind(reusing: false))
            return nil
        } catch {
            guard error.errno == EADDRINUSE else { return nil }
        }
        let (own, wide) = obstacles(diagnostics)
        return Self.holder(among: own) ?? Self.holder(among: wide)
    }

    private static func holder(among sockets: [SocketDiagnostics.Entry]) -> UInt32? {
        let holder = sockets.first(where: \.isListening) ?? sockets.first { !$0.isClosing }
        return holder.flatMap { $0.inode == 0 ? nil : $0.inode }
    }

    /// Those of this family, and those of the other one that may be in the way.
    private func obstacles(
        _ diagnostics: SocketDiagnostics
    ) -> (own: [SocketDiagnostics.Entry], wide: [SocketDiagnostics.Entry]) {
        let own = (try? diagnostics.sockets(onPort: port, family: address.family, isTCP: isTCP)) ?? []
        let other = address.family == .v4 ? IPAddress.Family.v6 : .v4
        let wide = ((try? diagnostics.sockets(onPort: port, family: other, isTCP: isTCP)) ?? []).filter(takesOurs)
        return (own.filter { address.isAny || $0.isAnyAddress || $0.local == address.bytes }, wide)
    }

    /// Whether a socket of the other family may take this address too: on any address, on the same one written as an IPv6
    /// address, or on any of IPv4 where all of IPv6 is wanted, which takes in all of IPv4.
    private func takesOurs(_ socket: SocketDiagnostics.Entry) -> Bool {
        if socket.isAnyAddress || address.family == .v6 && address.isAny { return true }
        let mapping: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        guard socket.local.starts(with: mapping) else { return false }
        return address.isAny || socket.local.dropFirst(mapping.count).elementsEqual(address.bytes)
    }

    /// Clients that say `localhost` may reach either loopback address: a stranger on the other one would answer them.
    private func otherLoopbackListener(_ diagnostics: SocketDiagnostics) -> (address: String, inode: UInt32)? {
        guard isTCP, address == .loopback4 || address == .loopback6 else { return nil }
        let other = address == .loopback4 ? IPAddress.loopback6 : .loopback4
        guard let inode = try? diagnostics.listener(other, port: port), inode != 0 else { return nil }
        return ("\(other)", inode)
    }
}
