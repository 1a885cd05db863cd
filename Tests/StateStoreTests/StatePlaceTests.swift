import Glibc
import StateStore
import Testing

/// A directory for the state of one test.
private final class Place {
    let path: String

    init() throws {
        var template = Array("/tmp/location-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    var location: ProjectLocation { ProjectLocation(identity: "p", root: StateRoot(path: path)) }

    deinit {
        unlink(location.stateDirectory)
        unlink(location.namePath)
        rmdir(location.stateDirectory)
        rmdir(path + "/elsewhere")
        rmdir(path)
    }
}

@Suite struct StatePlaceTests {
    @Test func `the directory is made private, and stays so`() throws {
        let place = try Place()
        try place.location.prepare()
        chmod(place.location.stateDirectory, 0o755)
        try place.location.prepare()
        var info = stat()
        #expect(stat(place.location.stateDirectory, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o700)
    }

    @Test func `a link in its place is not followed`() throws {
        let place = try Place()
        let elsewhere = place.path + "/elsewhere"
        mkdir(elsewhere, 0o755)
        chmod(elsewhere, 0o755)
        symlink(elsewhere, place.location.stateDirectory)
        #expect(
            throws: ProjectLocationError.unusable(
                directory: place.location.stateDirectory, reason: "it is not a directory")
        ) { try place.location.prepare() }
        var info = stat()
        #expect(stat(elsewhere, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o755)
    }

    @Test func `where everybody may rename it there is no state, unless the sticky bit forbids that`() throws {
        let place = try Place()
        chmod(place.path, 0o777)
        #expect(throws: ProjectLocationError.self) { try place.location.prepare() }
        chmod(place.path, 0o1777)
        try place.location.prepare()
    }
}

@Suite struct GoodRunTests {
    @Test func `what changed since it was last well is told by key`() throws {
        let place = try Place()
        try place.location.prepare()
        defer { for suffix in ["", "-wal", "-shm"] { unlink(place.location.journalPath + suffix) } }
        let store = try StateStore(writing: place.location.journalPath)
        #expect(store.goodRun(of: "db") == nil)
        let run = GoodRunRow(
            sidecar: "db", atWall: 5, fingerprints: [("command", .max), ("cwd", 2), ("restart.delay", 3)])
        try store.save(run)
        #expect(store.goodRun(of: "db") == run)
        #expect(run.changes(to: [("command", .max), ("cwd", 1), ("env", 4)]) == ["cwd", "env", "restart.delay"])
        #expect(run.changes(to: [("restart.delay", 3), ("command", .max), ("cwd", 2)]).isEmpty)
    }
}
