import StateStore
import Testing

@Suite struct GoodRunTests {
    @Test func `what changed since it was last well is told by key`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        #expect(store.goodRun(of: "db") == nil)
        let run = GoodRunRow(
            sidecar: "db", atWall: 5, fingerprints: [("command", .max), ("cwd", 2), ("restart.delay", 3)])
        try store.save(run)
        #expect(store.goodRun(of: "db") == run)
        #expect(run.changes(to: [("command", .max), ("cwd", 1), ("env", 4)]) == ["cwd", "env", "restart.delay"])
        #expect(run.changes(to: [("restart.delay", 3), ("command", .max), ("cwd", 2)]).isEmpty)
    }
}
