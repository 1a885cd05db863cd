import Glibc
import SidecarModel
import StateStore
import Testing

@Suite struct StateStoreTests {
    private let transition = TransitionRow(
        atWall: 5, atBoot: Instant(nanoseconds: 6), sidecar: "db", replica: 0, incarnation: 2, from: .starting,
        to: .failed, initiator: .exit, cause: "exit 1", causedBy: nil)

    @Test func `what was saved is read, by another connection too`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        let project = ProjectRow(
            identity: "/p/sidecars.yaml", name: "p", manifest: "/p/sidecars.yaml", directory: "/p",
            workingDirectory: "/", plan: [1, 2, 0, 255], environment: ["A": "b=c", "EMPTY": ""], umask: 0o022,
            limits: [LimitSpec(.openFiles, soft: 1024, hard: LimitSpec.unlimited)], seed: .max, isDetached: true,
            isWanted: true, bootID: "boot")
        let instance = InstanceRow(
            sidecar: "db", replica: 1, state: .backoff, incarnation: .max, isWanted: true,
            since: Instant(nanoseconds: 1), sinceWall: 2, startedAt: nil, restartsTotal: 3, consecutiveFailures: 4,
            lastExit: .signal(.kill), reason: "", until: Instant(nanoseconds: 9), startedFingerprint: 7,
            healthySince: nil, recentRestarts: [Instant(nanoseconds: 1), Instant(nanoseconds: 2)],
            holdsDeadAddresses: true, isRestartHalted: true, isRestart: true, initiator: .watch)
        let port = PortRow(sidecar: "db", replica: 1, name: "sql", number: 65_535)
        let lease = LeaseRow(token: "t", pid: 1, startTime: .max, bootID: "boot", takenAt: 3)
        try store.commit { () throws(StoreError) in
            try store.save(project)
            try store.save(instance)
            try store.save(port)
            try store.save(lease)
            #expect(try store.append(transition) == 1)
        }
        let reader = try StateStore(reading: shelf.journal)
        #expect(try reader.project() == project)
        #expect(try reader.instances() == [instance])
        #expect(try reader.ports() == [port])
        #expect(try reader.lease() == lease)
        var stored = transition
        stored.id = 1
        #expect(try reader.transitions() == [stored])
    }

    @Test func `a commit that fails leaves nothing behind`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        #expect(throws: StoreError.diskFull(path: "x")) {
            try store.commit { () throws(StoreError) in
                try store.append(transition)
                throw .diskFull(path: "x")
            }
        }
        #expect(try store.lastTransition() == 0)
    }

    @Test func `the journal is bounded, and the newest entries stay`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        try store.commit { () throws(StoreError) in
            for _ in 0..<102_000 { try store.append(transition) }
        }
        let kept = try store.transitions()
        #expect(kept.count == 100_000)
        #expect(kept.last?.id == 102_000)
        #expect(try store.transitions(of: "db", after: 101_990, limit: 3).map(\.id) == [101_998, 101_999, 102_000])
        #expect(try store.transitions(of: "web").isEmpty)
    }

    @Test func `the log begins anew after a checkpoint from elsewhere, and nothing is lost`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        func fill() throws {
            for _ in 0..<300 { try store.commit { () throws(StoreError) in try store.append(transition) } }
        }
        try fill()
        #expect(store.pagesInLog > 300)
        try StateStore.checkpoint(shelf.journal)
        try store.commit { () throws(StoreError) in try store.append(transition) }
        #expect(store.pagesInLog < 10)
        #expect(try StateStore(reading: shelf.journal).transitions().count == 301)
    }

    @Test func `a log that nobody checkpoints is kept within bounds`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        var longest = 0
        for _ in 0..<5_000 {
            try store.commit { () throws(StoreError) in try store.append(transition) }
            longest = max(longest, store.pagesInLog)
        }
        #expect((4_000...4_200).contains(longest))
        #expect(store.pagesInLog < longest)
        #expect(try store.lastTransition() == 5_000)
    }

    @Test func `a checkpoint makes no journal where there is none`() throws {
        let shelf = try Shelf()
        #expect(throws: StoreError.self) { try StateStore.checkpoint(shelf.journal) }
        #expect(access(shelf.journal, F_OK) != 0)
    }

    @Test func `a lease replaces the one before, and none removes it`() throws {
        let shelf = try Shelf()
        let store = try StateStore(writing: shelf.journal)
        try store.save(LeaseRow(token: "a", pid: 1, startTime: 1, bootID: "b", takenAt: 1))
        try store.save(LeaseRow(token: "b", pid: 2, startTime: 1, bootID: "b", takenAt: 1))
        #expect(try store.lease()?.token == "b")
        try store.save(LeaseRow?.none)
        #expect(try store.lease() == nil)
    }

    @Test func `a damaged, a newer and a missing journal are told apart`() throws {
        let shelf = try Shelf()
        #expect(throws: StoreError.absent(path: shelf.journal)) { try StateStore(reading: shelf.journal) }
        let file = open(shelf.journal, O_WRONLY | O_CREAT, 0o600)
        let garbage = [UInt8](repeating: 0x55, count: 8192)
        #expect(write(file, garbage, garbage.count) == garbage.count)
        close(file)
        #expect(throws: StoreError.damaged(path: shelf.journal)) { try StateStore(writing: shelf.journal) }
        #expect(throws: StoreError.damaged(path: shelf.journal)) { try StateStore(reading: shelf.journal) }
    }

    @Test func `a journal whose path is too long for SQLite is called that`() throws {
        let shelf = try Shelf()
        let above = shelf.path + "/" + String(repeating: "a", count: 230)
        // `/journal.db` and what SQLite appends need their part of its 512 bytes.
        let room = 512 - "-journal".utf8.count - "/journal.db".utf8.count - above.utf8.count - 1
        let places = [room, room + 1].map { above + "/" + String(repeating: "b", count: $0) }
        for place in [above] + places { try #require(mkdir(place, 0o700) == 0) }
        defer {
            for suffix in ["", "-wal", "-shm"] { unlink(places[0] + "/journal.db" + suffix) }
            for place in places + [above] { rmdir(place) }
        }
        _ = try StateStore(writing: places[0] + "/journal.db")
        let path = places[1] + "/journal.db"
        #expect(throws: StoreError.tooLong(path: path)) { try StateStore(writing: path) }
        #expect(StoreError.tooLong(path: path).description.contains("ORCHESTRATE_STATE_DIR"))
    }

    @Test func `the journal is for its user alone`() throws {
        let shelf = try Shelf()
        _ = try StateStore(writing: shelf.journal)
        var info = stat()
        #expect(stat(shelf.journal, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
    }
}

@Suite struct ProjectLocationTests {
    @Test func `state goes where the environment says`() throws {
        func root(_ environment: [String: String]) throws -> String {
            try StateRoot(
                environment: environment, workingDirectory: "/here", places: StatePlaces(user: 7) { _ in nil }
            ).path
        }
        #expect(try root(["ORCHESTRATE_STATE_DIR": "x/", "XDG_STATE_HOME": "/s"]) == "/here/x")
        #expect(try root(["XDG_STATE_HOME": "/s", "HOME": "/h"]) == "/s/orchestrate")
        #expect(try root(["XDG_STATE_HOME": "relative", "HOME": "/h"]) == "/h/.local/state/orchestrate")
    }

    @Test(arguments: [
        (
            ["XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/h"],
            ["/run/user/7/orchestrate-state", "/tmp/orchestrate-state-7"], 0
        ),
        (["XDG_RUNTIME_DIR": "relative", "HOME": "/"], ["/run/orchestrate-state", "/tmp/orchestrate-state-7"], 0),
        (["HOME": "/h"], ["/tmp/orchestrate-state-7", "/dev/shm/orchestrate-state-7"], 1),
        (["HOME": "/h"], ["/tmp/orchestrate-state-7"], 0),
    ])
    func `where no home can be written to, state goes to the first place that can`(
        environment: [String: String], usable: [String], expected: Int
    ) throws {
        let root = try StateRoot(
            environment: environment, workingDirectory: "/here",
            places: StatePlaces(user: 7) { usable.contains($0) ? nil : .unwritable })
        #expect(root.path == usable[expected])
        #expect(root.notice?.contains(usable[expected]) == true)
    }

    @Test func `a home that can't be written to any more is not left while projects of it run`() throws {
        let places = StatePlaces(user: 7) { $0 == "/tmp/orchestrate-state-7" ? nil : .unwritable }
        func root(isInUse: Bool) throws -> StateRoot {
            try StateRoot(environment: ["HOME": "/h"], workingDirectory: "/", places: places) { root in
                #expect(root.path == "/h/.local/state/orchestrate")
                return isInUse
            }
        }
        #expect(try root(isInUse: true) == StateRoot(path: "/h/.local/state/orchestrate"))
        #expect(try root(isInUse: false).path == "/tmp/orchestrate-state-7")
    }

    @Test func `a place asked for by name is never exchanged for another, and none is an error`() throws {
        let places = StatePlaces(user: 7) { _ in .unwritable }
        let asked = try StateRoot(
            environment: ["ORCHESTRATE_STATE_DIR": "/s"], workingDirectory: "/", places: places)
        #expect(asked == StateRoot(path: "/s"))
        #expect(throws: ProjectLocationError.nowhere) {
            try StateRoot(environment: ["HOME": "/h"], workingDirectory: "/", places: places)
        }
    }

    @Test func `what is another's is passed over and named as that, and none that is open to all is taken`() throws {
        let root = try StateRoot(
            environment: ["HOME": "/h", "XDG_RUNTIME_DIR": "/r"], workingDirectory: "/",
            places: StatePlaces(user: 7) { path in
                switch path {
                case "/r/orchestrate-state", "/dev/shm/orchestrate-state-7": .open
                case "/tmp/orchestrate-state-7": nil
                default: .foreign("it belongs to another user")
                }
            })
        #expect(root.path == "/tmp/orchestrate-state-7")
        let notice = try #require(root.notice)
        #expect(notice.contains("as /h/.local/state/orchestrate cannot be used: it belongs to another user;"))
    }

    @Test func `one variable alone decides where state goes`() {
        let all = ["ORCHESTRATE_STATE_DIR": "x", "XDG_STATE_HOME": "/s", "HOME": "/h"]
        #expect(StateRoot.decidingVariable(in: all) == "ORCHESTRATE_STATE_DIR")
        #expect(
            StateRoot.decidingVariable(in: ["ORCHESTRATE_STATE_DIR": "", "XDG_STATE_HOME": "/s"]) == "XDG_STATE_HOME")
        #expect(StateRoot.decidingVariable(in: ["XDG_STATE_HOME": "s", "HOME": "/h"]) == "HOME")
        #expect(StateRoot.decidingVariable(in: ["HOME": "h"]) == nil)
    }

    @Test(arguments: ["com.example.app", "/srv/two\nlines/sidecars.yaml", "/ends/with\n", "/ends/with\r"])
    func `a prepared project is found again by its identity`(_ identity: String) throws {
        let shelf = try Shelf()
        let root = StateRoot(path: shelf.path)
        let location = ProjectLocation(identity: identity, root: root)
        defer {
            unlink(location.namePath)
            rmdir(location.stateDirectory)
        }
        try location.prepare()
        try location.prepare()
        #expect(root.projects() == [location])
        let other = ProjectLocation(identity: "else", stateDirectory: location.stateDirectory)
        #expect(
            throws: ProjectLocationError.taken(directory: location.stateDirectory, by: identity)
        ) { try other.prepare() }
    }
}
