import Planning
import Reconciliation
import SidecarModel
import Testing

/// Whoever is started pulls up what it needs, whatever became of that before.
@Suite struct StartTests {
    @Test func `a start pulls up a dependency that has failed, with a fresh budget`() throws {
        var db = service("db")
        db.restart.maxAttempts = 1
        var bench = try Bench(db, service("mid", after: ("db", .healthy)), service("web", after: ("mid", .healthy)))
        _ = bench.up()
        for _ in 0..<2 {
            _ = bench.spawned("db")
            _ = bench.exited("db", .code(1))
            if bench.state("db") == .backoff { _ = bench.wait() }
        }
        #expect(bench.state("db") == .failed)
        #expect(bench.send(.start(["web"], by: .user)).contains(bench.spawn(of: "db")))
        #expect(["mid", "web"].map { bench.state($0) } == [.waiting, .waiting])
        _ = bench.spawned("db")
        _ = bench.exited("db", .code(1))
        #expect(bench.state("db") == .backoff)
        // Nor is the delay waited for.
        #expect(bench.send(.start(["web"], by: .user)).contains(bench.spawn(of: "db")))
    }

    @Test func `a restart and a run pull up what has failed too, be it a task or one replica`() throws {
        var (db, job) = (service("db"), service("job"))
        (db.replicas, db.restart.policy) = (2, .never)
        (job.kind, job.restart.policy) = (.task, .never)
        var web = service("web", after: ("db", .healthy), ("job", .succeeded))
        web.dependencies[0].quorum = 1
        var bench = try Bench(db, job, web)
        _ = bench.up()
        for replica in 0..<2 { _ = bench.spawned("db", replica) }
        _ = bench.spawned("job")
        _ = bench.pass(.seconds(1))
        _ = bench.exited("db", .code(1), 1)
        _ = bench.exited("job", .code(1))
        #expect(bench.state("web") == .blocked)
        let effects = bench.send(.restart(["web"], by: .user))
        #expect(effects.contains(bench.spawn(of: "db", 1)))
        #expect(effects.contains(bench.spawn(of: "job")))
    }

    @Test func `a start leaves what has ended as it was needed to`() throws {
        var (job, sweep) = (service("job"), service("sweep"))
        (job.kind, job.restart.policy) = (.task, .never)
        (sweep.kind, sweep.restart.policy) = (.task, .never)
        var bench = try Bench(job, sweep, service("web", after: ("job", .succeeded), ("sweep", .completed)))
        _ = bench.up()
        for (name, code) in [("job", Int32(0)), ("sweep", 1)] {
            _ = bench.spawned(name)
            _ = bench.exited(name, .code(code))
        }
        _ = bench.spawned("web")
        #expect(
            bench.send(.restart(["web"], by: .user)).allSatisfy { effect in
                if case .spawn = effect { false } else { true }
            })
        #expect(bench.state("job") == .completed)
        #expect(bench.state("sweep") == .failed)
    }
}
