import Glibc

/// Small files of /proc and /sys, read whole.
package enum ProcFile {
    /// Nil when it can't be read. At most `limit` bytes.
    package static func bytes(_ path: String, limit: Int = 64 << 10) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var failed = false
        while bytes.count < limit {
            let part = [UInt8](unsafeUninitializedCapacity: min(4096, limit - bytes.count)) { buffer, filled in
                let count = read(fd, buffer.baseAddress, buffer.count)
                failed = count < 0
                filled = max(0, count)
            }
            if failed { return nil }
            if part.isEmpty { break }
            bytes += part
        }
        return bytes
    }

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
