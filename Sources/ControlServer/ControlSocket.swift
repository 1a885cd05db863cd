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
    /// Listens at the path, for this user alone. A socket file nobody answers at is replaced.
    package static func listen(path: String) throws(ControlSocketError) -> Int32 {
        do {
            return try bindAndListen(path: path)
        } catch {
            guard error.errno == EADDRINUSE else { throw .failed(path: path, error) }
        }
        if let living = connect(path: path) {
            close(living)
            throw .inUse(path: path)
        }
        unlink(path)
        do {
            return try bindAndListen(path: path)
        } catch {
            throw error.errno == EADDRINUSE ? .inUse(path: path) : .failed(path: path, error)
        }
    }

    /// Connects, or nil when nobody listens.
    private static func connect(path: String) -> Int32? {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let result = withAddress(of: path) { Glibc.connect(descriptor, $0, $1) }
        // A full backlog is a sign of life.
        if result == 0 || (result == -1 && errno == EAGAIN) { return descriptor }
        close(descriptor)
        return nil
    }

    private static func bindAndListen(path: String) throws(SystemError) -> Int32 {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw .last("socket") }
        // The file takes its mode from the socket: it is never there with another one.
        guard fchmod(descriptor, 0o600) == 0, withAddress(of: path, { Glibc.bind(descriptor, $0, $1) }) == 0,
            Glibc.listen(descriptor, 128) == 0
        else {
            let failure = SystemError.last("bind")
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    /// `sun_path` holds 107 bytes. A longer path is reached through a descriptor of its directory.
    private static func withAddress(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        guard path.utf8.count > 107 else { return withShortAddress(path, body) }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex
        let directory = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return -1 }
        let result = withShortAddress("/proc/self/fd/\(directory)\(path[slash...])", body)
        let number = errno
        close(directory)
        errno = number
        return result
    }

    private static func withShortAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
