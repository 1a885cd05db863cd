import Testing

@testable import StateStore
@testable import SupervisorDaemon

struct JournalTests {
    private let file: JournalFile
    private var path: String { file.path }

    init() throws { file = try JournalFile() }

    private let project = ProjectRow(
        identity: "i", name: "n", manifest: "/m", directory: "/", workingDirectory: "/w", plan: [1, 2],
        environment: ["A": "b"], umask: 0o22, limits: [], seed: 7, isDetached: true, isWanted: true, bootID: "boot")

    private func turn(_ incarnation: UInt64) -> Journal.Turn {
        var turn = Journal.Turn()
        turn.transitions = [.failure(of: incarnation)]
        return turn
    }

    @Test func `an incarnation that could not be saved is with the next turn that is`() throws {
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
        // The later life of another ends while the one of this goes on.
        for (incarnation, latest) in [(7, 7), (9, 9), (8, 9)] as [(UInt64, UInt64)] {
            let journal = try Journal(store: try StateStore(writing: path))
            journal.commit(turn(incarnation), clock: WallClock())
            #expect(journal.failure == nil)
            #expect(try StateStore(reading: path).lastIncarnation() == latest)
        }
        let store = try StateStore(writing: path)
        try store.commit { () throws(StoreError) in
            for _ in 0..<101_000 { try store.append(.failure(of: 1)) }
        }
        #expect(try store.transitions().allSatisfy { $0.incarnation == 1 })
        #expect(try store.lastIncarnation() == 9)
    }

    @Test func `the end is saved beside what is known of the project`() throws {
        let journal = try Journal(store: try StateStore(writing: path))
        // Nothing is there that it could stand beside.
        #expect(!journal.saveEnd())
        journal.save(project)
        #expect(!journal.hasEnd)
        #expect(journal.saveEnd())
        #expect(journal.hasEnd)
        var ended = project
        ended.isWanted = false
        #expect(try StateStore(reading: path).project() == ended)
        journal.save(project)
        #expect(!journal.hasEnd)
    }

    @Test func `an end that could not be saved is not taken for one that is`() throws {
        let store = try StateStore(writing: path)
        let journal = try Journal(store: store)
        journal.takeUp(project)
        try store.database.execute("PRAGMA query_only = ON")
        #expect(!journal.saveEnd())
        #expect(!journal.hasEnd)
    }
}
