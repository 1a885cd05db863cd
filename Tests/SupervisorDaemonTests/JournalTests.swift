import Glibc
import SidecarModel
import Testing

@testable import StateStore
@testable import SupervisorDaemon

struct JournalTests {
    private let directory: String
    private var path: String { directory + "/journal.db" }

    init() throws {
        var template = Array("/tmp/journal-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    private func remove() {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        rmdir(directory)
    }

    private func turn(_ incarnation: UInt64) -> Journal.Turn {
        var turn = Journal.Turn()
        turn.transitions = [
            TransitionRow(
                atWall: 5, atBoot: Instant(nanoseconds: 6), sidecar: "db", replica: 0, incarnation: incarnation,
                from: .starting, to: .failed, initiator: .exit, cause: "exit 1", causedBy: nil)
        ]
        return turn
    }

    @Test func `an incarnation that could not be saved is with the next turn that is`() throws {
        defer { remove() }
        let store = try StateStore(writing: path)
        let journal = try Journal(store: store)
        try store.database.execute("PRAGMA query_only = ON")
        journal.commit(turn(10), clock: WallClock())
        #expect(journal.failure != nil)
        try store.database.execute("PRAGMA query_only = OFF")
        journal.commit(turn(9), clock: WallClock())
        #expect(journal.failure == nil)
        #expect(try StateStore(reading: path).lastIncarnation() == 10)
    }

    @Test func `the last incarnation is known when the journal holds none of its transitions any more`() throws {
        defer { remove() }
        // The later life of another ends while the one of this goes on.
        for (incarnation, latest) in [(7, 7), (9, 9), (8, 9)] as [(UInt64, UInt64)] {
            let journal = try Journal(store: try StateStore(writing: path))
            journal.commit(turn(incarnation), clock: WallClock())
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
