import CProcess
import Glibc

/// Asks the kernel who listens where. One thread at a time.
final class SocketDiagnostics {
    /// A socket as the kernel's tables show it.
    struct Entry: Hashable {
        var inode: UInt32
        var isListening: Bool
        /// On its way out: nobody answers on it any more.
        var isClosing: Bool
        var isAnyAddress: Bool
        var local: [UInt8]
    }

    private var descriptor: Int32 = -1

    deinit { if descriptor >= 0 { close(descriptor) } }

    private func open() throws(SystemError) -> Int32 {
        if descriptor < 0 { descriptor = netdiag_open() }
        guard descriptor >= 0 else { throw .last("socket NETLINK_SOCK_DIAG") }
        return descriptor
    }

    /// Starts afresh: an answer that did not come in time must not be taken for the next one.
    private func fail(_ call: String) -> SystemError {
        let failure = SystemError.last(call)
        close(descriptor)
        descriptor = -1
        return failure
    }

    /// The inode of the TCP socket that would take a connection to this address. Nil: nobody listens. A lookup of one
    /// socket, whatever their number.
    func listener(_ address: IPAddress, port: UInt16) throws(SystemError) -> UInt32? {
        let fd = try open()
        var found = netdiag_socket()
        let result = netdiag_listener(fd, address.family.number, address.bytes, port, &found)
        guard result >= 0 else { throw fail("sock_diag") }
        return result == 1 ? found.inode : nil
    }

    /// All sockets on a local port.
    func sockets(onPort port: UInt16, family: IPAddress.Family, isTCP: Bool) throws(SystemError) -> [Entry] {
        let fd = try open()
        let capacity = Int(NETDIAG_MAX)
        var found = [netdiag_socket](repeating: netdiag_socket(), count: capacity)
        let transport = Int32(isTCP ? IPPROTO_TCP : IPPROTO_UDP)
        let count = netdiag_on_port(fd, family.number, transport, port, &found, Int32(capacity))
        guard count >= 0 else { throw fail("sock_diag") }
        return found[..<min(Int(count), capacity)].map { socket in
            let bytes = withUnsafeBytes(of: socket.local) { Array($0.prefix(family == .v4 ? 4 : 16)) }
            // FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING.
            let isClosing = [4, 5, 6, 8, 9, 11].contains(socket.state)
            return Entry(
                inode: socket.inode, isListening: socket.state == 10, isClosing: isTCP && isClosing,
                isAnyAddress: bytes.allSatisfy { $0 == 0 }, local: bytes)
        }
    }
}
