import Glibc

/// A process that holds a socket.
package struct SocketOwner: Hashable, Sendable, CustomStringConvertible {
    package var pid: Int32
    /// The first words of its command line, or its short name.
    package var command: String

    package var description: String { "pid \(pid) (\(command))" }

    /// Which of these processes holds the socket: nil when none of those that can be read does.
    package static func find(inode: UInt32, among pids: some Sequence<Int32>) -> SocketOwner? {
        for pid in pids where holds(pid, inode: inode) == true {
            return SocketOwner(pid: pid, command: command(of: pid))
        }
        return nil
    }

    /// Walks all processes this user can read: for messages, never on a path that is taken often.
    package static func find(inode: UInt32) -> SocketOwner? { find(inode: inode, among: ProcFile.pids() ?? []) }

    /// Nil: its descriptors can't be read, as those of another user's process.
    package static func holds(_ pid: Int32, inode: UInt32) -> Bool? {
        guard let stream = opendir("/proc/\(pid)/fd") else { return nil }
        defer { closedir(stream) }
        let wanted = Array("socket:[\(inode)]".utf8)
        let directory = dirfd(stream)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { target in
            guard let base = target.baseAddress else { return false }
            while let entry = readdir(stream) {
                let length = withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) {
                        readlinkat(directory, $0, base, 64)
                    }
                }
                if length == wanted.count, memcmp(base, wanted, length) == 0 { return true }
            }
            return false
        }
    }

    package static func command(of pid: Int32) -> String {
        let line = ProcFile.bytes("/proc/\(pid)/cmdline", limit: 4096) ?? []
        let words = line.split(separator: 0).prefix(4).map { String(decoding: $0, as: UTF8.self) }
        if !words.isEmpty { return String(words.joined(separator: " ").prefix(80)) }
        return ProcFile.text("/proc/\(pid)/comm")?.trimmed ?? "unknown"
    }
}
