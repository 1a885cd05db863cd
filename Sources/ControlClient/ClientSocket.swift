import ControlAPI
import Glibc

/// The client's end of the control socket, at a path of any length.
enum ClientSocket {
    /// Nil when nobody listens there.
    static func connect(path: String) throws(ControlError) -> Int32? {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure(path) }
        var result = withAddress(of: path) { Glibc.connect(descriptor, $0, $1) }
        // The backlog is full: the supervisor lives, and takes it up in a moment.
        while result == -1, errno == EAGAIN || errno == EINTR {
            poll(nil, 0, 1)
            result = withAddress(of: path) { Glibc.connect(descriptor, $0, $1) }
        }
        if result == 0 { return descriptor }
        let number = errno
        close(descriptor)
        errno = number
        guard number == ENOENT || number == ECONNREFUSED || number == ENOTDIR else { throw failure(path) }
        return nil
    }

    private static func failure(_ path: String) -> ControlError {
        ControlError(.failed, "cannot connect to \(path): \(String(cString: strerror(errno)).lowercased())")
    }

    /// `sun_path` holds 107 bytes. A longer path is reached through a descriptor of its directory.
    private static func withAddress(of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
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
