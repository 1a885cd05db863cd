import Planning
import Reconciliation
import SidecarModel
import Testing

@Suite struct ReconcilerTests {
    @Test func `a dependent waits until its dependency is healthy`() throws {
        var bench = try Bench(service("db"), service("web", after: ("db", .healthy)))
        #expect(bench.up() == [bench.spawn(of: "db")])
        #expect(bench.status("web")?.waitingFor == ["db"])
        #expect(bench.spawned("db") == [])
        #expect(bench.wait() == [bench.spawn(of: "web")])
        #expect(bench.state("db") == .healthy)
    }

    @Test func `one that runs a process for each client is healthy once it is open, and ends like a process`() throws {
        var spec = service("tools")
        spec.stdio = .perClient
        var bench = try Bench(spec, service("web", after: ("tools", .healthy)))
        _ = bench.up()
        let (place, life) = (bench.place("tools"), bench.incarnation("tools"))
        #expect(bench.send(.spawned(place, life, Spawned(pid: nil))) == [bench.spawn(of: "web")])
        #expect(bench.state("tools") == .healthy)
        #expect(bench.status("tools")?.pid == nil)
        #expect(bench.status("tools")?.reason == "open to clients")
        #expect(
            bench.send(.stop(["tools"], scope: .only, by: .user)) == [
                .endProbes(place, life), .signal(place, life, .terminate, .leader),
            ])
        #expect(bench.send(.exited(place, life, .code(0))) == [.clear(place, life, .terminate)])
        #expect(bench.send(.emptied(place, life)) == [.release(place, life)])
        #expect(bench.state("tools") == .stopped)
    }

    @Test func `a crash is followed by a pause that grows, and a success by nothing`() throws {
        var spec = service("api")
        spec.restart.jitter = 0
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.exited("api", .code(1))
        #expect(bench.status("api")?.until == bench.now + .milliseconds(500))
        #expect(bench.wait() == [bench.spawn(of: "api")])
        _ = bench.spawned("api")
        _ = bench.exited("api", .signal(.kill))
        #expect(bench.status("api")?.until == bench.now + .seconds(1))
        #expect(bench.status("api")?.restartsTotal == 1)
    }

    @Test func `without a delay the successor is asked for as soon as the old life is empty`() throws {
        var spec = service("api")
        spec.restart.delay = .zero
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("api")
        let (place, old) = (bench.place("api"), bench.incarnation("api"))
        #expect(
            bench.send(.exited(place, old, .signal(.kill))) == [.endProbes(place, old), .clear(place, old, .terminate)])
        #expect(bench.send(.emptied(place, old)) == [.release(place, old), bench.spawn(of: "api")])
    }

    @Test func `a sidecar out of attempts has failed, and one that requires it is blocked`() throws {
        var spec = service("db")
        spec.restart.maxAttempts = 1
        spec.restart.delay = .zero
        var bench = try Bench(spec, service("web", after: ("db", .healthy)))
        _ = bench.up()
        for _ in 0..<2 {
            _ = bench.spawned("db")
            _ = bench.exited("db", .code(3))
        }
        #expect(bench.state("db") == .failed)
        #expect(bench.state("web") == .blocked)
        _ = bench.send(.start(["db"], by: .user))
        #expect(bench.state("db") == .starting)
        #expect(bench.state("web") == .waiting)
    }

    @Test func `an apply gives a fresh budget to one that is on its way too`() throws {
        var spec = service("api")
        spec.restart.maxAttempts = 1
        spec.restart.delay = .zero
        spec.restart.jitter = 0
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.exited("api", .code(3))
        _ = bench.spawned("api")
        #expect(bench.state("api") == .starting)
        _ = bench.up()
        #expect(bench.status("api")?.consecutiveFailures == 0)
        _ = bench.exited("api", .code(3))
        #expect(bench.state("api") != .failed)
        _ = bench.spawned("api")
        _ = bench.exited("api", .code(3))
        #expect(bench.state("api") == .failed)
    }

    @Test func `dependents leave first`() throws {
        var bench = try Bench(service("db"), service("web", after: ("db", .started)))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("web")
        let web = bench.place("web")
        let db = bench.place("db")
        let effects = bench.send(.shutdown(by: .user))
        #expect(effects.contains(.signal(web, bench.incarnation("web"), .terminate, .leader)))
        #expect(!effects.contains(.signal(db, bench.incarnation("db"), .terminate, .leader)))
        let after = bench.exited("web", .code(0))
        #expect(after.contains(.signal(db, bench.incarnation("db"), .terminate, .leader)))
        #expect(bench.exited("db", .code(0)).last == .finish(code: 0))
    }

    @Test func `what ignores the signal is killed when its grace is over, not before`() throws {
        var bench = try Bench(service("db"))
        _ = bench.up()
        _ = bench.spawned("db")
        let place = bench.place("db")
        _ = bench.send(.stop(["db"], scope: .only, by: .user))
        #expect(bench.pass(.milliseconds(9999)) == [])
        #expect(bench.pass(.milliseconds(1)) == [.kill(place, bench.incarnation("db"))])
        _ = bench.pass(.seconds(2))
        _ = bench.send(
            .survived(place, bench.incarnation("db"), [Survivor(pid: 9, state: "D", waitChannel: "nfs")]))
        #expect(bench.status("db")?.reason == "cannot be killed: pid 9 (state D, in nfs)")
    }

    @Test func `a stop during the pause before a restart wins`() throws {
        var bench = try Bench(service("db"))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.exited("db", .code(1))
        #expect(bench.send(.stop(["db"], scope: .only, by: .user)) == [])
        #expect(bench.state("db") == .stopped)
        #expect(bench.reconciler.nextDeadline == nil)
    }

    @Test func `a changed dependency is replaced before its changed dependent`() throws {
        var db = service("db")
        var web = service("web", after: ("db", .healthy))
        db.start.settle = .zero
        web.start.settle = .zero
        var bench = try Bench(db, web)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("web")
        db.fingerprints[0].value = 2
        web.fingerprints[0].value = 2
        let plan = try Plan(project: bench.reconciler.plan.project, sidecars: [db, web])
        let effects = bench.send(.apply(plan, selection: nil))
        #expect(effects.contains(.signal(bench.place("db"), bench.incarnation("db"), .terminate, .leader)))
        #expect(bench.state("web") == .healthy)
        #expect(bench.exited("db", .code(0)).contains(bench.spawn(of: "db")))
        let next = bench.spawned("db")
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
    }

    @Test func `a replica that is one too many is scaled away, and not called undeclared`() throws {
        var api = service("api")
        api.replicas = 2
        var other = service("other")
        other.restart.delay = .seconds(60)
        var bench = try Bench(api, other)
        _ = bench.up()
        for replica in 0..<2 { _ = bench.spawned("api", replica) }
        _ = bench.spawned("other")
        _ = bench.exited("other", .code(1))
        let project = bench.reconciler.plan.project
        for replicas in [1, 0] {
            api.replicas = replicas
            _ = bench.send(.apply(try Plan(project: project, sidecars: [api, other]), selection: nil))
            #expect(bench.status("api", replicas)?.reason == "scaled to \(replicas)")
        }
        other.replicas = 0
        _ = bench.reconciler.takeTransitions()
        _ = bench.send(.apply(try Plan(project: project, sidecars: [api, other]), selection: nil))
        #expect(bench.reconciler.takeTransitions().map(\.cause) == ["scaled to 0"])

        var restarting = try Bench(service("api"))
        _ = restarting.up()
        _ = restarting.spawned("api")
        _ = restarting.send(.restart(["api"], by: .user))
        var none = service("api")
        none.replicas = 0
        _ = restarting.send(.apply(try Plan(project: project, sidecars: [none]), selection: nil))
        _ = restarting.exited("api", .signal(.terminate))
        #expect(restarting.reconciler.takeTransitions().last?.cause == "scaled to 0")

        var gone = try Bench(service("api"))
        _ = gone.up()
        _ = gone.spawned("api")
        _ = gone.send(.apply(try Plan(project: project, sidecars: [service("web")]), selection: nil))
        #expect(gone.status("api")?.reason == "no longer declared")
    }

    @Test func `a stop on the way to another life is what ended it`() throws {
        var bench = try Bench(service("api"))
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.send(.restart(["api"], by: .user))
        #expect(bench.status("api")?.reason == "to be restarted")
        _ = bench.send(.stop(["api"], scope: .only, by: .user))
        _ = bench.exited("api", .signal(.terminate))
        #expect(bench.reconciler.takeTransitions().last?.cause == "asked to stop")
    }

    @Test func `applying the same plan again touches nothing`() throws {
        var bench = try Bench(service("db"), service("web", after: ("db", .started)))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("web")
        _ = bench.pass(.seconds(1))
        _ = bench.reconciler.takeTransitions()
        #expect(bench.up() == [])
        #expect(bench.reconciler.takeTransitions().isEmpty)
    }

    @Test func `the cap on parallel starts lets the next one go when one is healthy`() throws {
        var bench = try Bench(service("a"), service("b"), service("c"), cap: 2)
        #expect(bench.up() == [bench.spawn(of: "a"), bench.spawn(of: "b")])
        _ = bench.spawned("a")
        _ = bench.spawned("b")
        #expect(bench.pass(.seconds(1)) == [bench.spawn(of: "c")])
    }

    @Test func `probes ramp until the first success and then keep their period`() throws {
        var spec = service("api")
        spec.health.readiness = Probe(.tcp(port: .number(80), host: nil))
        var bench = try Bench(spec)
        _ = bench.up()
        let place = bench.place("api")
        let run = Effect.probe(place, bench.incarnation("api"), .readiness)
        #expect(bench.spawned("api") == [run])
        var pauses: [Duration] = []
        for _ in 0..<4 {
            let before = bench.now
            _ = bench.send(.probed(place, bench.incarnation("api"), .readiness, .failure("refused")))
            #expect(bench.wait() == [run])
            pauses.append(bench.now - before)
        }
        #expect(pauses == [.milliseconds(1), .milliseconds(2), .milliseconds(4), .milliseconds(8)])
        _ = bench.send(.probed(place, bench.incarnation("api"), .readiness, .success))
        #expect(bench.state("api") == .healthy)
        let started = bench.now
        #expect(bench.wait() == [run])
        #expect(bench.now - started == .seconds(10))
    }

    @Test func `a supervisor that comes back keeps the process and its health`() throws {
        var bench = try Bench(service("db"))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.pass(.seconds(1))
        let records = bench.reconciler.takeChangedRecords()
        let old = bench.incarnation("db")
        var next = try Bench(service("db"))
        next.reconciler.restore(records.map { ($0, .alive(pid: 100)) }, at: bench.now)
        #expect(next.reconciler.reconcile(at: bench.now) == [])
        #expect(next.status("db")?.pid == 100)
        #expect(next.state("db") == .healthy)
        #expect(next.incarnation("db") == old)
    }

    @Test func `who ended in a shutdown that is on record, and is not itself, has not crashed`() throws {
        var spec = service("db")
        spec.hooks = [HookSpec(event: .onCrash, action: .shell(Template("report")))]
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.pass(.seconds(1))
        // As far as the last supervisor came to write it down.
        let records = bench.reconciler.takeChangedRecords()
        var next = try Bench(spec)
        next.now = bench.now
        next.reconciler.restore(records.map { ($0, .exited(.signal(.terminate))) }, at: next.now)
        let (place, life) = (next.place("db"), next.incarnation("db"))
        #expect(next.send(.shutdown(by: .supervisor)).contains(.clear(place, life, .terminate)))
        #expect(next.send(.emptied(place, life)) == [.release(place, life), .finish(code: 0)])
        #expect(next.state("db") == .stopped)
        #expect(next.status("db")?.restartsTotal == 0)
    }
}

extension ReconcilerTests {
    /// Up, with the task running; and the plan in which the task is another one.
    private func taskBehindGate() throws -> (Bench, edited: Plan) {
        var gate = service("gate")
        var task = service("task", after: ("gate", .healthy))
        task.kind = .task
        task.restart = RestartSpec(policy: .never)
        gate.start.settle = .zero
        var bench = try Bench(gate, task)
        _ = bench.up()
        _ = bench.spawned("gate")
        _ = bench.spawned("task")
        task.fingerprints[0].value = 2
        return (bench, try Plan(project: bench.reconciler.plan.project, sidecars: [gate, task]))
    }

    @Test func `a task whose change is taken back before it ran stays completed`() throws {
        let (started, edited) = try taskBehindGate()
        var bench = started
        let original = bench.reconciler.plan
        _ = bench.exited("task", .code(0))
        _ = bench.send(.stop(["gate"], scope: .only, by: .user))
        _ = bench.send(.apply(edited, selection: ["task"]))
        #expect(bench.state("task") == .waiting)
        _ = bench.send(.apply(original, selection: nil))
        #expect(bench.state("task") == .completed)
    }

    @Test func `a task that got through while it was changed is completed when the change is taken back`() throws {
        let (started, edited) = try taskBehindGate()
        var bench = started
        let original = bench.reconciler.plan
        _ = bench.send(.exited(bench.place("task"), bench.incarnation("task"), .code(0)))
        _ = bench.send(.apply(edited, selection: nil))
        _ = bench.send(.stop(["gate"], scope: .only, by: .user))
        _ = bench.send(.emptied(bench.place("task"), bench.incarnation("task")))
        #expect(bench.state("task") == .blocked)
        _ = bench.send(.apply(original, selection: ["task"]))
        #expect(bench.state("task") == .completed)
    }

    @Test func `what a window counts is not forgiven for health in between`() throws {
        var spec = service("api")
        spec.start.settle = .zero
        spec.restart.delay = .zero
        spec.restart.maxAttempts = 2
        spec.restart.window = .seconds(60)
        spec.restart.resetAfter = .seconds(1)
        var bench = try Bench(spec)
        _ = bench.up()
        for attempt in 1...2 {
            _ = bench.spawned("api")
            _ = bench.pass(.seconds(5))
            _ = bench.exited("api", .code(1))
            #expect(bench.state("api") == .starting, "attempt \(attempt)")
        }
        _ = bench.spawned("api")
        _ = bench.pass(.seconds(5))
        _ = bench.exited("api", .code(1))
        #expect(bench.status("api")?.reason == "exit 1, after 2 restarts in 1 min")
    }

    @Test func `a stop with dependents leaves what a task has done`() throws {
        var task = service("migrate", after: ("db", .started))
        task.kind = .task
        task.restart.policy = .never
        var bench = try Bench(
            service("db"), task, service("web", after: ("migrate", .succeeded), ("db", .started)))
        _ = bench.up()
        for name in ["db", "migrate"] { _ = bench.spawned(name) }
        _ = bench.exited("migrate", .code(0))
        _ = bench.spawned("web")
        _ = bench.send(.stop(["db"], scope: .cascade, by: .user))
        #expect(bench.state("web") == .stopping)
        #expect(bench.state("migrate") == .completed)
    }

    @Test func `a task that ran too long has ended all the same`() throws {
        var task = service("probe")
        task.kind = .task
        task.restart.policy = .never
        task.timeout = .seconds(1)
        var bench = try Bench(task, service("web", after: ("probe", .completed)))
        _ = bench.up()
        _ = bench.spawned("probe")
        _ = bench.pass(.seconds(1))
        #expect(bench.exited("probe", .signal(.terminate)).contains(bench.spawn(of: "web")))
        #expect(bench.state("probe") == .failed)
    }

    @Test func `the longest wait is max_delay, jitter included`() throws {
        var spec = service("api")
        spec.restart.delay = .milliseconds(200)
        spec.restart.maxDelay = .milliseconds(200)
        spec.restart.jitter = 1
        spec.restart.maxAttempts = 0
        var bench = try Bench(spec)
        _ = bench.up()
        for _ in 0..<50 {
            _ = bench.spawned("api")
            _ = bench.exited("api", .code(1))
            let until = try #require(bench.status("api")?.until)
            #expect(until <= bench.now + .milliseconds(200))
            _ = bench.wait()
        }
    }
}
