import CProcess
import Glibc
package import Supervision

/// Why the control socket can't be offered.
package enum ControlSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Somebody answers at it.
    case inUse(path: String)
    case failed(path: String, SystemError)

    package var description: String {
        switch self {
        case .inUse(let path): "cannot listen on \(path): another supervisor answers there"
        case .failed(let path, let error): "cannot listen on \(path): \(error)"
        }
    }
}

/// A Unix socket at a path of any length.
package enum ControlSocket {
    private static let backlog: Int32 = 128

    /// Listens at the path, for this user alone. A socket file nobody answers at is replaced.
    package static func listen(path: String) throws(ControlSocketError) -> Int32 {
        let first = orch_unix_listen(path, backlog)
        if first >= 0 { return first }
        guard first == -EADDRINUSE else { throw failure(path, first) }
        let living = orch_unix_connect(path)
        // A full backlog is a sign of life.
        guard living < 0, living != -EAGAIN else {
            if living >= 0 { close(living) }
            throw .inUse(path: path)
        }
        unlink(path)
        let second = orch_unix_listen(path, backlog)
        guard second >= 0 else { throw second == -EADDRINUSE ? .inUse(path: path) : failure(path, second) }
        return second
    }

    private static func failure(_ path: String, _ code: Int32) -> ControlSocketError {
        .failed(path: path, SystemError(call: "bind", errno: -code))
    }
}
