import CProcess
package import Glibc

/// A path for a Unix socket, of any length: one too long for the kernel's 108 bytes is reached through its directory.
package struct UnixAddress: ~Copyable {
    private var directory: Int32 = -1
    private var address = sockaddr_un()
    private var length: socklen_t

    package init(path: String) throws(SystemError) {
        let limit = MemoryLayout.size(ofValue: address.sun_path) - 1
        var short = path
        length = 0
        if path.utf8.count > limit {
            let slash = path.lastIndex(of: "/")
            let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { throw .last("open \(folder)") }
            let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
            short = "/proc/self/fd/\(directory)/\(name)"
        }
        guard !short.isEmpty, short.utf8.count <= limit else {
            throw SystemError(call: "socket path \(path)", errno: ENAMETOOLONG)
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
        length = socklen_t(MemoryLayout<sa_family_t>.size + short.utf8.count + 1)
    }

    deinit { if directory >= 0 { close(directory) } }

    package borrowing func withSocketAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        let length = length
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
