import Glibc

/// The kernel's table of file locks. To look there disturbs nobody; to try a lock would.
enum KernelLocks {
    /// Who holds a `flock` on a file of this inode number, in whatever file system. Nil: the table can't be read.
    static func holders(ofInode inode: ino_t) -> [Int32]? {
        ProcFile.text("/proc/locks", limit: 16 << 20).map { holders(ofInode: inode, in: $0) }
    }

    static func holders(ofInode inode: ino_t, in table: String) -> [Int32] {
        table.split(separator: "\n").compactMap { line in
            // `1: FLOCK  ADVISORY  WRITE 4711 00:2a:12345 0 EOF`; who waits for one has `->` in the second place. Only the
            // inode is the same in every file system.
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK",
                fields[5].split(separator: ":").last.flatMap({ ino_t($0) }) == inode
            else { return nil }
            return Int32(fields[4])
        }
    }
}
