import Glibc
import StateStore
import Testing

/// A directory for one test, with a journal, or with the state of a project.
final class Shelf {
    let path: String
    var journal: String { path + "/journal.db" }
    var location: ProjectLocation { ProjectLocation(identity: "p", root: StateRoot(path: path)) }

    init() throws {
        var template = Array("/tmp/store-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        for suffix in ["", "-wal", "-shm"] { unlink(journal + suffix) }
        unlink(location.namePath)
        rmdir(location.stateDirectory)
        rmdir(path)
    }
}
