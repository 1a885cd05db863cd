import Glibc
import StateStore
import Testing

@Suite struct StatePlaceTests {
    @Test func `the directory is made private, and stays so`() throws {
        let shelf = try Shelf()
        try shelf.location.prepare()
        chmod(shelf.location.stateDirectory, 0o755)
        try shelf.location.prepare()
        var info = stat()
        #expect(stat(shelf.location.stateDirectory, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o700)
    }

    @Test func `a link in its place is not followed`() throws {
        let shelf = try Shelf()
        let elsewhere = shelf.path + "/elsewhere"
        mkdir(elsewhere, 0o755)
        chmod(elsewhere, 0o755)
        symlink(elsewhere, shelf.location.stateDirectory)
        defer {
            unlink(shelf.location.stateDirectory)
            rmdir(elsewhere)
        }
        #expect(
            throws: ProjectLocationError.unusable(
                directory: shelf.location.stateDirectory, reason: "it is not a directory")
        ) { try shelf.location.prepare() }
        var info = stat()
        #expect(stat(elsewhere, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o755)
    }

    @Test func `where everybody may rename it there is no state, unless the sticky bit forbids that`() throws {
        let shelf = try Shelf()
        chmod(shelf.path, 0o777)
        #expect(throws: ProjectLocationError.self) { try shelf.location.prepare() }
        chmod(shelf.path, 0o1777)
        try shelf.location.prepare()
    }

    @Test func `where everybody may rename the directory of all state nothing is made in it, save by the sticky bit`()
        throws
    {
        let place = try RootPlace()
        chmod(place.above, 0o777)
        let reason = "everybody may write to it (chmod o-w \(place.above))"
        #expect(throws: ProjectLocationError.unusable(directory: place.above, reason: reason)) {
            try place.location.prepare()
        }
        #expect(access(place.root, F_OK) != 0)
        chmod(place.above, 0o1777)
        try place.location.prepare()
        // What is there already is no safer.
        chmod(place.above, 0o777)
        #expect(throws: ProjectLocationError.self) { try place.location.prepare() }
    }

    @Test func `one's own link to the directory of all state is followed, also to where it leads`() throws {
        let place = try RootPlace()
        mkdir(place.elsewhere, 0o755)
        symlink(place.elsewhere, place.root)
        #expect(StatePlaces().obstacle(place.root) == nil)
        try place.location.prepare()
        chmod(place.elsewhere, 0o777)
        #expect(throws: ProjectLocationError.self) { try place.location.prepare() }
    }

    @Test(.enabled(if: geteuid() == 0, "giving a file away needs root"), arguments: [0o755, 0o1777] as [mode_t])
    func `a link to the directory of all state that another user made is not followed`(mode: mode_t) throws {
        let place = try RootPlace()
        chmod(place.above, mode)
        mkdir(place.elsewhere, 0o755)
        symlink(place.elsewhere, place.root)
        lchown(place.root, 65_534, 65_534)
        let reason = "the link belongs to another user"
        #expect(throws: ProjectLocationError.unusable(directory: place.root, reason: reason)) {
            try place.location.prepare()
        }
        #expect(access(place.location.stateDirectory, F_OK) != 0)
        #expect(StatePlaces().obstacle(place.root) == .foreign(reason))
    }

    @Test(.enabled(if: geteuid() == 0, "giving a directory away needs root"))
    func `a directory of all state that another user made is called that`() throws {
        let place = try RootPlace()
        mkdir(place.root, 0o755)
        chown(place.root, 65_534, 65_534)
        #expect(StatePlaces().obstacle(place.root) == .foreign("it belongs to another user"))
        #expect(throws: ProjectLocationError.self) { try place.location.prepare() }
        #expect(access(place.location.stateDirectory, F_OK) != 0)
    }
}

/// Where a directory of all state goes, and what is above it.
private final class RootPlace {
    let shelf: Shelf
    var above: String { shelf.path + "/above" }
    var root: String { above + "/orchestrate" }
    var elsewhere: String { shelf.path + "/elsewhere" }
    var location: ProjectLocation { ProjectLocation(identity: "p", root: StateRoot(path: root)) }

    init() throws {
        shelf = try Shelf()
        mkdir(above, 0o755)
    }

    deinit {
        unlink(location.namePath)
        rmdir(location.stateDirectory)
        rmdir(root)
        unlink(root)
        rmdir(elsewhere)
        rmdir(above)
    }
}
