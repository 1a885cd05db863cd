import Planning
import Reconciliation
import SidecarModel
import Testing

/// What becomes of a restart that another sidecar's failure, or a person, comes in the way of.
@Suite struct ReplacementTests {
    /// The supervisor after that one, of which one sidecar was left.
    private static func successor(of bench: Bench, alive sidecar: String) -> Bench {
        var before = bench.reconciler
        var next = Bench(plan: before.plan)
        next.now = bench.now
        let records = before.takeChangedRecords()
        next.reconciler.restore(
            records.map { ($0, $0.sidecar == sidecar ? .alive(pid: 100) : .neverSpawned) }, at: next.now)
        return next
    }

    @Test func `an address that moved is not forgotten with the restart that was called off`() throws {
        var (bench, fixed) = try halted()
        #expect(bench.status("user")?.isRestartPending == false)
        #expect(bench.send(.apply(fixed, selection: nil)).contains(bench.spawn(of: "api")))
        #expect(bench.status("user")?.isRestartPending == true)
        let next = bench.spawned("api")
        #expect(next.contains(.signal(bench.place("user"), bench.incarnation("user"), .terminate, .leader)))
        _ = bench.exited("user", .signal(.terminate))
        _ = bench.spawned("user")
        #expect(bench.send(.apply(fixed, selection: nil)) == [])
        #expect(bench.status("user")?.isRestartPending == false)
    }

    @Test func `a new one starts once the last old life is over, while a successor is still starting`() throws {
        let (first, second) = (service("first"), service("second"))
        var bench = try Bench(first, second)
        _ = bench.up()
        for name in ["first", "second"] { _ = bench.spawned(name) }
        _ = bench.pass(.seconds(2))
        let plan = try Plan(
            project: bench.reconciler.plan.project, sidecars: [first.changed(), second.changed(), service("new")])
        _ = bench.send(.apply(plan, selection: nil))
        #expect(bench.state("new") == .waiting)
        #expect(bench.exited("first", .signal(.terminate)).contains(bench.spawn(of: "first")))
        #expect(bench.state("new") == .waiting)
        let last = bench.exited("second", .signal(.terminate))
        #expect(bench.state("first") == .starting)
        #expect(last.contains(bench.spawn(of: "new")))
    }

    @Test func `the next supervisor knows who was started with an address that moved`() throws {
        let (bench, fixed) = try halted()
        var next = Self.successor(of: bench, alive: "user")
        _ = next.send(.apply(fixed, selection: nil))
        #expect(next.status("user")?.isRestartPending == true)
    }

    @Test func `who was changed and changed back, and holds an address that moved, is restarted for that`() throws {
        let api = service("api")
        let user = Self.user(of: "api")
        var bench = try Bench(api, user)
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.pass(.seconds(2))
        _ = bench.spawned("user")
        let plan = bench.reconciler.plan
        let edited = try Plan(project: plan.project, sidecars: [api.changed(), user.changed()])
        _ = bench.send(.apply(edited, selection: nil), .portMoved(bench.place("api")))
        _ = bench.send(.apply(plan, selection: nil))
        #expect(bench.status("user")?.isRestartPending == true)
    }

    @Test func `who waits to be replaced keeps its life when what it depends on is stopped`() throws {
        var (bench, _) = try rolling()
        _ = bench.send(.stop(["db"], scope: .only, by: .user))
        _ = bench.exited("db", .code(0))
        #expect(bench.state("db") == .stopped)
        #expect(bench.state("web") == .healthy)
        #expect(bench.status("web")?.isRestartPending == false)
        #expect(bench.up().contains(bench.spawn(of: "db")))
        #expect(bench.status("web")?.isRestartPending == true)
        let next = bench.spawned("db")
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
    }

    @Test func `who waits to be replaced keeps its life while what it depends on is not ready`() throws {
        let db = service("db")
        var probed = db
        probed.health.readiness = Probe(.tcp(port: .number(1), host: nil))
        let web = service("web", after: ("db", .healthy))
        var bench = try Bench(probed, web)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.send(.probed(bench.place("db"), bench.incarnation("db"), .readiness, .success))
        _ = bench.spawned("web")
        _ = bench.pass(.seconds(1))
        for _ in 0..<3 {
            _ = bench.wait()
            _ = bench.send(.probed(bench.place("db"), bench.incarnation("db"), .readiness, .timeout))
        }
        #expect(bench.state("db") == .unhealthy)
        let plan = try Plan(project: bench.reconciler.plan.project, sidecars: [probed, web.changed()])
        #expect(bench.send(.apply(plan, selection: nil)) == [])
        _ = bench.wait()
        let next = bench.send(.probed(bench.place("db"), bench.incarnation("db"), .readiness, .success))
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
    }

    @Test func `who is restarted by name is, whatever it depends on`() throws {
        var (bench, _) = try rolling(isChanged: false)
        _ = bench.send(.stop(["db"], scope: .only, by: .user))
        _ = bench.exited("db", .code(0))
        let next = bench.send(.restart(["web"], by: .user))
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
        #expect(next.contains(bench.spawn(of: "db")))
    }

    @Test func `a restart that was asked for survives an apply that changes nothing of it`() throws {
        var web = service("web")
        web.replicas = 2
        var bench = try Bench(web)
        _ = bench.up()
        for replica in 0..<2 { _ = bench.spawned("web", replica) }
        _ = bench.pass(.seconds(1))
        _ = bench.send(.restart(["web"], by: .user))
        #expect((0..<2).map { bench.state("web", $0) } == [.healthy, .stopping])
        // Whatever an apply in between wanted, and took back.
        let changed = try Plan(project: bench.reconciler.plan.project, sidecars: [web.changed()])
        let plan = bench.reconciler.plan
        for plan in [plan, changed, plan] {
            _ = bench.send(.apply(plan, selection: nil))
            #expect(bench.status("web")?.isRestartPending == true)
        }
        _ = bench.exited("web", .signal(.terminate), 1)
        let next = bench.spawned("web", 1) + bench.pass(.seconds(1))
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
        #expect(bench.exited("web", .signal(.terminate)).contains(bench.spawn(of: "web")))
    }

    @Test func `a restart that a failure halted goes on when what failed is well again`() throws {
        var (bench, _) = try haltedByFailure()
        #expect(bench.status("web")?.isRestartHalted == true)
        #expect(
            bench.status("web")?.reason == "it runs as it was declared before; its restart waits until db is well")
        #expect(bench.send(.start(["db"], by: .user)).contains(bench.spawn(of: "db")))
        let next = bench.spawned("db") + bench.pass(.seconds(1))
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
        #expect(bench.exited("web", .signal(.terminate)).contains(bench.spawn(of: "web")))
        #expect(bench.status("web")?.isRestartHalted == false)
    }

    @Test func `a halted restart waits for no other instance that was stopped`() throws {
        var (bench, _) = try haltedByFailure(replicas: 2)
        _ = bench.send(.stop(["web/1"], scope: .only, by: .user))
        _ = bench.exited("web", .code(0), 1)
        _ = bench.send(.start(["db"], by: .user))
        let next = bench.spawned("db") + bench.pass(.seconds(1))
        #expect(next.contains(.signal(bench.place("web"), bench.incarnation("web"), .terminate, .leader)))
        #expect(bench.state("web", 1) == .stopped)
    }

    @Test func `instances that are unwell for the same cause don't wait for each other`() throws {
        var (bench, _) = try haltedByFailure(replicas: 2, isProbed: true)
        for _ in 0..<3 {
            _ = bench.wait()
            for replica in 0..<2 { _ = bench.probed("web", replica, .timeout) }
        }
        #expect((0..<2).map { bench.state("web", $0) } == [.unhealthy, .unhealthy])
        #expect(
            bench.status("web")?.reason == "it runs as it was declared before; its restart waits until db is well")
        _ = bench.send(.start(["db"], by: .user))
        let next = bench.spawned("db") + bench.pass(.seconds(1))
        let signals = (0..<2).map {
            Effect.signal(bench.place("web", $0), bench.incarnation("web", $0), .terminate, .leader)
        }
        // One of them; the other one follows it.
        #expect(signals.count(where: next.contains) == 1)
    }

    @Test func `the next supervisor goes on with a restart that was halted`() throws {
        let (bench, _) = try haltedByFailure()
        var next = Self.successor(of: bench, alive: "web")
        #expect(next.status("web")?.isRestartHalted == true)
        _ = next.send(.start(["db"], by: .user))
        _ = next.spawned("db")
        _ = next.pass(.seconds(1))
        #expect(next.state("web") == .stopping)
    }

    @Test func `who was changed back after a failure runs on as it is declared`() throws {
        var (bench, old) = try haltedByFailure()
        _ = bench.send(.apply(old, selection: nil))
        #expect(bench.status("web")?.isRestartHalted == false)
        #expect(bench.status("web")?.reason == "declared again as it runs")
        _ = bench.spawned("db")
        _ = bench.pass(.seconds(1))
        #expect(bench.state("db") == .healthy)
        #expect(bench.state("web") == .healthy)
    }

    @Test func `of several instances none follows one that failed until that is well`() throws {
        var api = service("api")
        api.replicas = 3
        api.restart.policy = .never
        var bench = try Bench(api)
        _ = bench.up()
        for replica in 0..<3 { _ = bench.spawned("api", replica) }
        _ = bench.pass(.seconds(1))
        let plan = try Plan(project: bench.reconciler.plan.project, sidecars: [api.changed()])
        _ = bench.send(.apply(plan, selection: nil))
        _ = bench.exited("api", .signal(.terminate), 2)
        _ = bench.spawned("api", 2)
        _ = bench.exited("api", .code(1), 2)
        #expect(bench.state("api", 2) == .failed)
        #expect((0..<2).map { bench.status("api", $0)?.isRestartHalted } == [true, true])
        _ = bench.send(.start(["api/2"], by: .user))
        _ = bench.spawned("api", 2)
        #expect((0..<3).map { bench.state("api", $0) } == [.healthy, .healthy, .starting])
        _ = bench.pass(.seconds(1))
        #expect((0..<3).map { bench.state("api", $0) } == [.healthy, .stopping, .healthy])
    }

    @Test func `what is to become of a sidecar is told by what it runs`() throws {
        var (bench, old) = try haltedByFailure()
        let new = bench.reconciler.plan
        bench.reconciler.observe(.apply(old, selection: nil), at: bench.now)
        #expect(bench.reconciler.outlook(for: "web") == .keeps)
        (bench, old) = try haltedByFailure()
        bench.reconciler.observe(.apply(new, selection: nil), at: bench.now)
        #expect(bench.reconciler.outlook(for: "db") == .starts)
        #expect(
            bench.reconciler.outlook(for: "web") == .restarts(changed: ["command"], holdsDeadAddresses: false))
        var (other, _) = try halted()
        other.reconciler.observe(.apply(other.reconciler.plan, selection: nil), at: other.now)
        #expect(other.reconciler.outlook(for: "user") == .restarts(changed: [], holdsDeadAddresses: true))
    }

    @Test func `what is taken out of the manifest on its way to another life says why it ends`() throws {
        var bench = try Bench(service("db"), service("slow"))
        _ = bench.up()
        _ = bench.spawned("slow")
        _ = bench.send(.restart(["slow"], by: .user))
        let rest = try Plan(project: bench.reconciler.plan.project, sidecars: [service("db")])
        _ = bench.send(.apply(rest, selection: nil))
        #expect(bench.status("slow")?.reason == "no longer declared")
    }

    /// Both were changed, and the new `db` failed before it was the turn of `web`; and the plan of before.
    private func haltedByFailure(replicas: Int = 1, isProbed: Bool = false) throws -> (Bench, before: Plan) {
        var db = service("db")
        db.restart.policy = .never
        var web = service("web", after: ("db", .healthy))
        web.replicas = replicas
        if isProbed { web.health.readiness = Probe(.tcp(port: .number(1), host: nil)) }
        var bench = try Bench(db, web)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.pass(.seconds(1))
        for replica in 0..<replicas {
            _ = bench.spawned("web", replica)
            if isProbed { _ = bench.probed("web", replica, .success) }
        }
        _ = bench.pass(.seconds(1))
        let before = bench.reconciler.plan
        let plan = try Plan(project: before.project, sidecars: [db.changed(), web.changed()])
        _ = bench.send(.apply(plan, selection: nil))
        _ = bench.exited("db", .signal(.terminate))
        _ = bench.spawned("db")
        _ = bench.exited("db", .code(1))
        #expect(bench.state("db") == .failed)
        #expect(bench.state("web") == .healthy)
        return (bench, before)
    }

    /// Both are up; changed, `db` is on its way to its new life and `web` waits for that.
    private func rolling(isChanged: Bool = true) throws -> (Bench, edited: Plan) {
        var (db, web) = (service("db"), service("web", after: ("db", .healthy)))
        (db.start.settle, web.start.settle) = (.zero, .zero)
        var bench = try Bench(db, web)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("web")
        let plan = try Plan(project: bench.reconciler.plan.project, sidecars: [db.changed(), web.changed()])
        guard isChanged else { return (bench, plan) }
        _ = bench.send(.apply(plan, selection: nil))
        #expect(bench.state("db") == .stopping)
        #expect(bench.status("web")?.isRestartPending == true)
        return (bench, plan)
    }

    /// `api` was changed, its port moved, and the new one failed, which called off the restart of `user`; and the plan in
    /// which `api` is mended.
    private func halted() throws -> (Bench, fixed: Plan) {
        var api = service("api")
        api.restart.policy = .never
        api.start.settle = .zero
        let user = Self.user(of: "api")
        var bench = try Bench(api, user)
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.spawned("user")
        api = api.changed()
        var broken = api
        broken.start.settle = .seconds(1)
        let project = bench.reconciler.plan.project
        _ = bench.send(
            .apply(try Plan(project: project, sidecars: [broken, user]), selection: nil), .portMoved(bench.place("api"))
        )
        #expect(bench.status("user")?.isRestartPending == true)
        _ = bench.exited("api", .signal(.terminate))
        _ = bench.spawned("api")
        _ = bench.exited("api", .code(1))
        #expect(bench.state("api") == .failed)
        #expect(bench.state("user") == .healthy)
        return (bench, try Plan(project: project, sidecars: [api.changed(), user]))
    }

    private static func user(of name: String) -> SidecarSpec {
        var user = service("user", after: (name, .healthy))
        let port = Reference.sidecarPort(sidecar: name, replica: nil, port: "http")
        user.environment = [EnvironmentEntry(name: "API", value: Template(segments: [.reference(port)]))]
        user.start.settle = .zero
        return user
    }
}

extension SidecarSpec {
    /// As after an edit of its command.
    func changed() -> SidecarSpec {
        var spec = self
        spec.fingerprints[0].value += 1
        return spec
    }
}
