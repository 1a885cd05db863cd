import Planning
import Reconciliation
import SidecarModel
import Testing

/// What one that cannot start says of whom it needs is what is so now.
@Suite struct BlockedTests {
    @Test func `the cause is told anew when what is wrong at the end has become another one`() throws {
        var (first, second) = (service("first"), service("second"))
        (first.restart.policy, second.restart.policy) = (.never, .never)
        var bench = try Bench(
            first, second, service("mid", after: ("first", .healthy), ("second", .healthy)),
            service("web", after: ("mid", .healthy)), service("edge", after: ("web", .healthy)))
        _ = bench.up()
        for name in ["first", "second"] { _ = bench.spawned(name) }
        _ = bench.exited("second", .code(1))
        #expect(bench.status("mid")?.reason == "second is failed: exit 1")
        #expect(bench.status("edge")?.reason == "web is blocked by second, which is failed: exit 1")
        _ = bench.exited("first", .code(2))
        _ = bench.send(.start(["second"], by: .user))
        _ = bench.spawned("second")
        _ = bench.pass(.seconds(1))
        #expect(bench.state("second") == .healthy)
        #expect(bench.status("mid")?.reason == "first is failed: exit 2")
        #expect(bench.status("web")?.reason == "mid is blocked by first, which is failed: exit 2")
        #expect(bench.status("edge")?.reason == "web is blocked by first, which is failed: exit 2")
        #expect(bench.reconciler.overlooked(at: bench.now).transitions == [])
    }

    @Test func `of several instances the one that is in the way is named`() throws {
        var (db, api) = (service("db"), service("api", after: ("db", .healthy)))
        (db.replicas, db.restart.policy, api.replicas) = (3, .never, 2)
        var bench = try Bench(db, api, service("web", after: ("api", .healthy)))
        _ = bench.up()
        for replica in 0..<3 { _ = bench.spawned("db", replica) }
        _ = bench.exited("db", .code(1), 2)
        #expect(bench.status("api", 1)?.reason == "db/2 is failed: exit 1")
        #expect(bench.status("web")?.reason == "api is blocked by db/2, which is failed: exit 1")
        _ = bench.send(.stop(["db/1"], scope: .only, by: .user), .start(["db/2"], by: .user))
        _ = bench.spawned("db", 2)
        _ = bench.exited("db", .code(0), 1)
        #expect(bench.status("api")?.reason == "db/1 is stopped: asked to stop")
    }

    @Test func `whom somebody stopped is stopped for those who need it, however it was before`() throws {
        var db = service("db")
        db.restart.policy = .never
        var bench = try Bench(db, service("web", after: ("db", .healthy)), service("edge", after: ("web", .healthy)))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.send(.stop(["db"], scope: .only, by: .user))
        #expect(bench.status("web")?.reason == "db is stopping: asked to stop")
        _ = bench.exited("db", .signal(.terminate))
        #expect(bench.status("web")?.reason == "db is stopped: asked to stop")
        #expect(bench.status("edge")?.reason == "web is blocked by db, which is stopped: asked to stop")
        _ = bench.send(.start(["db"], by: .user))
        _ = bench.spawned("db")
        _ = bench.exited("db", .code(1))
        #expect(bench.status("web")?.reason == "db is failed: exit 1")
        _ = bench.send(.stop(["db"], scope: .only, by: .user))
        #expect(bench.status("web")?.reason == "db is stopped: asked to stop")
        #expect(bench.status("edge")?.reason == "web is blocked by db, which is stopped: asked to stop")
    }
}
