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
}
