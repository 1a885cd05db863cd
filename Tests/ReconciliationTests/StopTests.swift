import Planning
import Reconciliation
import SidecarModel
import Testing

/// Who waits for whom while sidecars stop, and whom a stop would harm.
@Suite struct StopTests {
    @Test func `a stop names those it waits for, and says how far it is itself`() throws {
        var bench = try Bench(service("db"), service("web", after: ("db", .started)))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("web")
        #expect(bench.status("web")?.stop == nil)
        _ = bench.send(.shutdown(by: .user))
        #expect(bench.status("db")?.waitingFor == ["web"])
        #expect(bench.status("db")?.stop == .queued)
        let killAt = bench.now + StopSpec().grace
        #expect(bench.status("web")?.waitingFor == [])
        #expect(bench.status("web")?.stop == .signalled(.terminate, next: .kill, at: killAt))
        _ = bench.pass(StopSpec().grace)
        #expect(bench.status("web")?.stop == .killed)
        _ = bench.exited("web", .signal(.kill))
        #expect(bench.status("web")?.stop == nil)
        #expect(bench.status("db")?.waitingFor == [])
        #expect(bench.status("db")?.stop == .signalled(.terminate, next: .kill, at: bench.now + StopSpec().grace))
    }

    /// `web` needs the task `seed`, which needed `db`.
    private func migrated() throws -> Bench {
        var seed = service("seed", after: ("db", .started))
        seed.kind = .task
        seed.restart.policy = .never
        var bench = try Bench(service("db"), seed, service("web", after: ("seed", .succeeded)))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("seed")
        _ = bench.exited("seed", .code(0))
        _ = bench.spawned("web")
        #expect(bench.status("web")?.pid != nil)
        return bench
    }

    @Test func `who needs a finished task leaves before what that task needed`() throws {
        for request in [Input.shutdown(by: .user), .stop(["db"], scope: .cascade, by: .user)] {
            var bench = try migrated()
            _ = bench.send(request)
            #expect(bench.status("db")?.waitingFor == ["web"])
            #expect(bench.status("db")?.stop == .queued)
            _ = bench.exited("web", .signal(.terminate))
            #expect(bench.status("db")?.waitingFor == [])
            #expect(bench.status("db")?.stop == .signalled(.terminate, next: .kill, at: bench.now + StopSpec().grace))
        }
    }

    @Test func `a finished task that is removed with those around it still holds their order`() throws {
        var bench = try migrated()
        let rest = try Plan(project: bench.reconciler.plan.project, sidecars: [service("other")])
        _ = bench.send(.apply(rest, selection: nil))
        #expect(bench.status("db")?.stop == .queued)
        _ = bench.exited("web", .signal(.terminate))
        #expect(bench.status("db")?.stop == .signalled(.terminate, next: .kill, at: bench.now + StopSpec().grace))
    }

    @Test func `it does so too for what is taken down after the removal`() throws {
        var bench = try migrated()
        let rest = try Plan(project: bench.reconciler.plan.project, sidecars: [service("db")])
        _ = bench.send(.apply(rest, selection: nil))
        _ = bench.send(.shutdown(by: .user))
        #expect(bench.status("db")?.waitingFor == ["web"])
        #expect(bench.status("db")?.stop == .queued)
        _ = bench.exited("web", .signal(.terminate))
        #expect(bench.status("db")?.stop == .signalled(.terminate, next: .kill, at: bench.now + StopSpec().grace))
    }

    @Test func `a stop in steps says which signal follows`() throws {
        var spec = service("db")
        spec.stop.steps = [.init(signal: .interrupt, wait: .seconds(1)), .init(signal: .quit, wait: .seconds(2))]
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.send(.shutdown(by: .user))
        #expect(bench.status("db")?.stop == .signalled(.interrupt, next: .quit, at: bench.now + .seconds(1)))
        _ = bench.pass(.seconds(1))
        #expect(bench.status("db")?.stop == .signalled(.quit, next: .kill, at: bench.now + .seconds(2)))
    }

    @Test func `a hurry shortens the down it was for, and no stop that comes later`() throws {
        for inputs in [[Input.hurry(.killNow)], [.shutdown(by: .user), .hurry(.killNow)]] {
            var bench = try Bench(service("db"))
            for input in inputs { _ = bench.send(input) }
            _ = bench.up()
            _ = bench.spawned("db")
            _ = bench.send(.stop(["db"], scope: .only, by: .user))
            let killAt = bench.now + StopSpec().grace
            #expect(bench.status("db")?.stop == .signalled(.terminate, next: .kill, at: killAt))
        }
    }

    /// `web` needs one of two healthy `db`, `top` needs `web`.
    private func quorum() throws -> Bench {
        var db = service("db")
        db.replicas = 2
        var web = service("web")
        web.dependencies = [DependencySpec(sidecar: "db", condition: .healthy, quorum: 1)]
        var bench = try Bench(db, web, service("top", after: ("web", .started)))
        _ = bench.up()
        _ = bench.spawned("db", 0)
        _ = bench.spawned("db", 1)
        _ = bench.pass(db.start.settle)
        _ = bench.spawned("web")
        _ = bench.spawned("top")
        #expect(bench.state("top") == .starting)
        return bench
    }

    @Test func `who needs a quorum loses nothing while the others make it`() throws {
        let bench = try quorum()
        #expect(bench.reconciler.dependents(losing: ["db/1"]) == [])
        #expect(bench.reconciler.dependents(losing: ["db/0", "db/1"]) == ["web", "top"])
        #expect(bench.reconciler.dependents(losing: ["db"]) == ["web", "top"])
        #expect(bench.reconciler.dependents(losing: ["web"]) == ["top"])
        #expect(bench.reconciler.dependents(runningOn: ["db"]) == ["web", "top"])
    }

    @Test func `one that is not healthy makes no quorum`() throws {
        var bench = try quorum()
        let (place, incarnation) = (bench.place("db", 0), bench.incarnation("db", 0))
        _ = bench.send(.exited(place, incarnation, .code(1)), .emptied(place, incarnation))
        #expect(bench.reconciler.dependents(losing: ["db/1"]) == ["web", "top"])
        // It is not what they stand on.
        #expect(bench.reconciler.dependents(losing: ["db/0"]) == [])
    }

    @Test func `who needs all replicas loses by the stop of one`() throws {
        var db = service("db")
        db.replicas = 2
        var bench = try Bench(db, service("web", after: ("db", .started)))
        _ = bench.up()
        for replica in 0..<2 { _ = bench.spawned("db", replica) }
        _ = bench.spawned("web")
        #expect(bench.reconciler.dependents(losing: ["db/1"]) == ["web"])
    }
}
