import Glibc
import SidecarModel
import StateStore
import Testing

/// A place for a journal, for one test.
final class JournalFile {
    private let directory: String
    var path: String { directory + "/journal.db" }

    init() throws {
        var template = Array("/tmp/journal-XXXXXX".utf8CString)
        directory = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        rmdir(directory)
    }
}

extension TransitionRow {
    static func failure(of incarnation: UInt64) -> TransitionRow {
        TransitionRow(
            atWall: 5, atBoot: Instant(nanoseconds: 6), sidecar: "db", replica: 0, incarnation: incarnation,
            from: .starting, to: .failed, initiator: .exit, cause: "exit 1", causedBy: nil)
    }
}
