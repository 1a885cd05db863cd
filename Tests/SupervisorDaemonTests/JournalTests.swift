import SidecarModel
import Supervision
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

    /// All of it, the latest of each.
    private func owe(_ journal: Journal) {
        journal.save(project)
        journal.save([("http", 80), ("admin", 81)], of: InstanceName(sidecar: "web", replica: 0))
        journal.save([("http", 82)], of: InstanceName(sidecar: "web", replica: 0))
        journal.save(LeaseRow(token: "t", pid: 1, startTime: 2, bootID: "b", takenAt: 3))
        journal.commit(turn(10), clock: WallClock())
        #expect(journal.failure != nil)
    }

    private func expectPaid() throws {
        let store = try StateStore(reading: path)
        #expect(try store.project() == project)
        #expect(try store.ports().map(\.number).sorted() == [81, 82])
        #expect(try store.lease()?.token == "t")
        #expect(try store.lastIncarnation() == 10)
        #expect(try store.transitions().first?.incarnation == 10)
    }

    @Test func `what could not be written is with the next write that works`() throws {
        let store = try StateStore(writing: path)
        let journal = try Journal(store: store)
        try store.database.execute("PRAGMA query_only = ON")
        owe(journal)
        #expect(journal.sequence == 0)
        try store.database.execute("PRAGMA query_only = OFF")
        journal.commit(turn(9), clock: WallClock())
        #expect(journal.failure == nil)
        #expect(journal.sequence == 2)
        try expectPaid()
        // The end of the project stands beside it again.
        #expect(journal.saveEnd())
    }

    @Test func `what could not be written is tried again while nothing else happens`() throws {
        let loop = try EventLoop()
        let store = try StateStore(writing: path)
        let journal = try Journal(store: store, loop: loop)
        try store.database.execute("PRAGMA query_only = ON")
        owe(journal)
        try store.database.execute("PRAGMA query_only = OFF")
        func look() {
            guard journal.failure != nil else { return loop.stop() }
            _ = loop.schedule(at: loop.now + Duration.milliseconds(50)) { look() }
        }
        look()
        try loop.run()
        try expectPaid()
    }

    @Test func `an end that could not be written is that of all it names`() throws {
        let store = try StateStore(writing: path)
        let journal = try Journal(store: store)
        journal.save(project)
        try store.database.execute("PRAGMA query_only = ON")
        owe(journal)
        #expect(!journal.saveEnd())
        var ended = project
        ended.isWanted = false
        journal.save(ended)
        journal.endInstances([InstanceName(sidecar: "web", replica: 0)])
        try store.database.execute("PRAGMA query_only = OFF")
        journal.forgetPorts()
        let after = try StateStore(reading: path)
        #expect(try after.project()?.isWanted == false)
        #expect(try after.lease() == nil)
        #expect(try after.ports().isEmpty)
    }
}
