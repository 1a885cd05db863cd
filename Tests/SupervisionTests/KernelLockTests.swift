import Glibc
import Testing

@testable import Supervision

struct KernelLockTests {
    @Test func `only who holds a lock on that inode is named`() {
        let table = """
            1: FLOCK  ADVISORY  WRITE 4711 00:2a:12345 0 EOF
            1: -> FLOCK  ADVISORY  WRITE 4712 00:2a:12345 0 EOF
            2: POSIX  ADVISORY  WRITE 4713 00:2a:12345 0 EOF
            3: FLOCK  ADVISORY  READ  4714 08:01:912345 0 EOF
            4: FLOCK  ADVISORY  READ  4715 08:01:12345 0 EOF

            """
        #expect(KernelLocks.holders(ofInode: 12345, in: table) == [4711, 4715])
        #expect(KernelLocks.holders(ofInode: 1, in: table).isEmpty)
    }

    @Test func `a lock of this process is found, and gone when it is let go`() throws {
        let directory = TemporaryDirectory()
        let file = open(directory.path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        var facts = stat()
        try #require(fstat(file, &facts) == 0)
        #expect(flock(file, LOCK_EX) == 0)
        #expect(KernelLocks.holders(ofInode: facts.st_ino)?.contains(getpid()) == true)
        #expect(flock(file, LOCK_UN) == 0)
        #expect(KernelLocks.holders(ofInode: facts.st_ino)?.contains(getpid()) == false)
    }
}
