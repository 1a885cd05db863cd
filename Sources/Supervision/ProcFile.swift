import Glibc

/// Small files of /proc and /sys, read whole.
package enum ProcFile {
    /// Nil when it can't be read. At most `limit` bytes.
    package static func bytes(_ path: String, limit: Int = 64 << 10) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { piece in
            var bytes: [UInt8] = []
            while bytes.count < limit {
                let count = read(fd, piece.baseAddress, min(piece.count, limit - bytes.count))
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return nil }
                guard count > 0 else { break }
                bytes += piece[..<count]
            }
            return bytes
        }
    }

    /// The processes there are. Nil: they can't be listed now, as for want of a descriptor.
    package static func pids() -> [Int32]? { (try? Directory.names(in: "/proc"))?.compactMap { Int32($0) } }

    package static func text(_ path: String, limit: Int = 64 << 10) -> String? {
        bytes(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
