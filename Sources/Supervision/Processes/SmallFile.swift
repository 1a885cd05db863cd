import Glibc

/// Files of /proc and cgroups: small, and made anew at each reading.
enum SmallFile {
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let size = Glibc.read(descriptor, &piece, piece.count)
            if size < 0, errno == EINTR { continue }
            if size < 0 { return nil }
            if size == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece[..<size]
        }
    }
}
