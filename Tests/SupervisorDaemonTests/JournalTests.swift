import Glibc
import SidecarModel
import StateStore
import Testing

@testable import SupervisorDaemon

struct JournalTests {
    @Test func `the last incarnation is known when the journal holds none of its transitions any more`() throws {
        var template = Array("/tmp/journal-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = directory + "/journal.db"
        defer {
            for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
            rmdir(directory)
        }
        // The later life of another ends while the one of this goes on.
        for (incarnation, latest) in [(7, 7), (9, 9), (8, 9)] as [(UInt64, UInt64)] {
            let journal = try Journal(store: try StateStore(writing: path))
            var turn = Journal.Turn()
            turn.transitions = [
                TransitionRow(
                    atWall: 5, atBoot: Instant(nanoseconds: 6), sidecar: "db", replica: 0, incarnation: incarnation,
                    from: .starting, to: .failed, initiator: .exit, cause: "exit 1", causedBy: nil)
            ]
            journal.commit(turn, clock: WallClock())
            #expect(journal.failure == nil)
            #expect(try StateStore(reading: path).lastIncarnation() == latest)
        }
        let store = try StateStore(writing: path)
        try store.commit { () throws(StoreError) in
            for _ in 0..<101_000 {
                try store.append(
                    TransitionRow(
                        atWall: 5, atBoot: Instant(nanoseconds: 6), sidecar: "db", replica: 0, incarnation: 1,
                        from: .healthy, to: .unhealthy, initiator: .probe, cause: "timed out", causedBy: nil))
            }
        }
        #expect(try store.transitions().allSatisfy { $0.incarnation == 1 })
        #expect(try store.lastIncarnation() == 9)
    }
}
