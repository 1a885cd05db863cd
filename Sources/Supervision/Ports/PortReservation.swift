import Glibc
import Synchronization

/// A port that is this instance's, and the socket bound to it, so that nobody takes it until the sidecar does.
///
/// The socket does not listen and is closed on exec. It has to be gone before the sidecar binds: `release`, or the last
/// reference, closes it.
package final class PortReservation: Sendable {
    package let port: UInt16
    /// Not the one asked for (the number, or the one it had): who refers to it holds a dead address.
    package let moved: Bool
    private let socket: Mutex<Int32>

    init(port: UInt16, moved: Bool, socket: Int32) {
        self.port = port
        self.moved = moved
        self.socket = Mutex(socket)
    }

    deinit { release() }

    /// The bound socket, while it is held.
    package var descriptor: Int32? { socket.withLock { $0 < 0 ? nil : $0 } }

    package func release() {
        let fd = socket.withLock { socket in
            let fd = socket
            socket = -1
            return fd
        }
        if fd >= 0 { close(fd) }
    }
}
