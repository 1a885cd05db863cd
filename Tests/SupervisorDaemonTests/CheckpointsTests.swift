import Glibc
import SidecarModel
import StateStore
import SupervisorDaemon
import Testing

struct CheckpointsTests {
    private let transition = TransitionRow(
        atWall: 5, atBoot: Instant(nanoseconds: 6), sidecar: "db", replica: 0, incarnation: 2, from: .starting,
        to: .failed, initiator: .exit, cause: "exit 1", causedBy: nil)

    @Test func `a log that has grown is checkpointed without the one who writes it`() throws {
        var template = Array("/tmp/checkpoints-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = directory + "/journal.db"
        defer {
            for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
            rmdir(directory)
        }
        let store = try StateStore(writing: path)
        let checkpoints = Checkpoints(path: path)
        for _ in 0..<2 {
            var longest = 0
            while longest < 1000 {
                try store.commit { () throws(StoreError) in try store.append(transition) }
                longest = store.pagesInLog
                checkpoints.note(longest)
            }
            // Nothing was committed meanwhile: all was moved, and the log begins anew.
            checkpoints.finish()
            try store.commit { () throws(StoreError) in try store.append(transition) }
            checkpoints.note(store.pagesInLog)
            #expect(store.pagesInLog < 10)
        }
        #expect(try StateStore(reading: path).lastTransition() == store.lastTransition())
    }
}
