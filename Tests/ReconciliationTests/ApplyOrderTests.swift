import Planning
import Reconciliation
import SidecarModel
import Testing

/// What an apply starts comes after what it stops, and what it asked for is not lost on the way.
@Suite struct ApplyOrderTests {
    /// All up and healthy.
    private static func running(_ sidecars: SidecarSpec..., cap: Int? = nil) throws -> Bench {
        let project = ProjectSpec(name: "test", directory: "/", maxParallelStarts: cap)
        var bench = Bench(plan: try Plan(project: project, sidecars: sidecars))
        _ = bench.up()
        for spec in sidecars {
            for replica in 0..<spec.replicas {
                _ = bench.spawned(spec.name, replica)
                _ = bench.pass(.seconds(2))
            }
        }
        return bench
    }

    private static func plan(_ bench: Bench, _ sidecars: SidecarSpec...) throws -> Plan {
        try Plan(project: bench.reconciler.plan.project, sidecars: sidecars)
    }

    @Test func `what SIGKILL cannot end holds up no new start, and halts who would follow it`() throws {
        let (db, web) = (service("db"), service("web", after: ("db", .healthy)))
        var bench = try Self.running(db, web)
        _ = bench.send(.apply(try Self.plan(bench, db.changed(), web.changed(), service("new")), selection: nil))
        #expect(bench.state("new") == .waiting)
        for _ in 0..<3 { _ = bench.wait() }
        let (place, life) = (bench.place("db"), bench.incarnation("db"))
        let effects = bench.send(
            .survived(place, life, [Survivor(pid: 100, state: "D", waitChannel: "nfs_wait")]))
        #expect(effects.contains(bench.spawn(of: "new")))
        #expect(bench.state("web") == .healthy)
        #expect(bench.status("web")?.isRestartHalted == true)
        #expect(bench.status("web")?.reason.contains("its restart waits until db is well") == true)
        // It ends after all, and everything goes its way.
        _ = bench.send(.exited(place, life, .signal(.kill)), .emptied(place, life))
        _ = bench.spawned("db")
        _ = bench.pass(.seconds(2))
        #expect(bench.state("web") == .stopping)
    }

    @Test func `who waits for what SIGKILL cannot end is blocked by it, and named so`() throws {
        var bench = try Self.running(service("db"))
        let web = service("web", after: ("db", .healthy))
        _ = bench.send(.restart(["db"], by: .user))
        _ = bench.send(.apply(try Self.plan(bench, service("db"), web), selection: nil))
        #expect(bench.state("web") == .waiting)
        for _ in 0..<3 { _ = bench.wait() }
        let (place, life) = (bench.place("db"), bench.incarnation("db"))
        _ = bench.send(.survived(place, life, [Survivor(pid: 100, state: "D", waitChannel: "nfs_wait")]))
        #expect(bench.state("web") == .blocked)
        #expect(bench.status("web")?.reason.contains("cannot be killed: pid 100 (state D, in nfs_wait)") == true)
        _ = bench.send(.exited(place, life, .signal(.kill)), .emptied(place, life))
        #expect(bench.state("web") == .waiting)
    }

    @Test func `a window charges what follows failures, and no start that somebody asked for`() throws {
        var spec = service("api")
        (spec.restart.maxAttempts, spec.restart.window, spec.restart.delay) = (1, .seconds(60), .zero)
        var bench = try Self.running(spec)
        _ = bench.send(.restart(["api"], by: .user))
        _ = bench.exited("api", .signal(.terminate))
        _ = bench.spawned("api")
        _ = bench.pass(.seconds(2))
        #expect(bench.state("api") == .healthy)
        _ = bench.exited("api", .code(1))
        #expect(bench.state("api") == .starting)
        _ = bench.spawned("api")
        _ = bench.exited("api", .code(1))
        #expect(bench.state("api") == .failed)
    }

    @Test func `who is blocked names whom it needs and what is wrong at the end, and nothing between`() throws {
        var broken = service("root")
        broken.restart.policy = .never
        // Each needs both of the layer above it: as many ways lead to the root as there are numbers of 30 bits.
        let layers = (1...30).flatMap { layer in
            ["a", "b"].map { side in
                var spec = service("\(side)\(layer)")
                let above = layer == 1 ? ["root"] : ["a\(layer - 1)", "b\(layer - 1)"]
                spec.dependencies = above.map { DependencySpec(sidecar: $0, condition: .healthy) }
                return spec
            }
        }
        var bench = try Bench([broken] + layers)
        _ = bench.up()
        _ = bench.spawned("root")
        _ = bench.exited("root", .code(2))
        #expect(bench.status("a1")?.reason == "root is failed: exit 2")
        let both = ["a29", "b29"].map { "\($0) is blocked by root, which is failed: exit 2" }.joined(separator: "; ")
        #expect(bench.status("b30")?.reason == both)
        #expect(bench.status("b30")?.waitingFor == ["a29", "b29"])
    }

    @Test func `a start that gives its turn away for what is being replaced comes after it`() throws {
        var api = service("api")
        api.replicas = 2
        var bench = try Self.running(api, cap: 1)
        _ = bench.send(.apply(try Self.plan(bench, api, service("other")), selection: nil))
        #expect(bench.state("other") == .starting)
        let plan = try Self.plan(bench, api.changed(), service("other"), service("new"))
        _ = bench.send(.apply(plan, selection: nil))
        _ = bench.exited("api", .signal(.terminate), 1)
        #expect(bench.state("api", 1) == .waiting)
        var order: [String] = []
        for _ in 0..<12 {
            for name in ["other", "new"] where bench.state(name) == .starting { _ = bench.spawned(name) }
            for replica in 0...1 {
                switch bench.state("api", replica) {
                case .starting: _ = bench.spawned("api", replica)
                case .stopping:
                    order.append("api/\(replica) stops")
                    #expect(bench.incarnation("new").number == 0)
                    _ = bench.exited("api", .signal(.terminate), replica)
                default: break
                }
            }
            _ = bench.pass(.seconds(2))
        }
        #expect(order == ["api/0 stops"])
        for name in ["other", "new"] { #expect(bench.state(name) == .healthy) }
        for replica in 0...1 { #expect(bench.state("api", replica) == .healthy) }
    }

    @Test func `a supervisor in place of a killed one starts what is new after what is removed`() throws {
        var bench = try Self.running(service("old"))
        _ = bench.send(.apply(try Self.plan(bench, service("new")), selection: nil))
        #expect(bench.state("old") == .stopping)
        var before = bench.reconciler
        var next = Bench(plan: before.plan)
        next.now = bench.now
        let records = before.takeChangedRecords()
        next.reconciler.restore(
            records.map { ($0, $0.sidecar == "old" ? .alive(pid: 100) : .neverSpawned) }, at: next.now)
        let effects = next.pass(.zero)
        #expect(next.state("new") == .waiting)
        #expect(!effects.contains(next.spawn(of: "new")))
        #expect(next.exited("old", .signal(.terminate)).contains(next.spawn(of: "new")))
    }

    @Test func `a stop that is taken back before it begins leaves what was due`() throws {
        let (db, web) = (service("db"), service("web", after: ("db", .healthy)))
        var bench = try Self.running(db, web)
        _ = bench.send(.apply(try Self.plan(bench, db.changed(), web.changed()), selection: nil))
        #expect(bench.status("web")?.isRestartPending == true)
        _ = bench.send(.stop(["web"], scope: .only, by: .user), .start(["web"], by: .user))
        #expect(bench.state("web") == .healthy)
        #expect(bench.status("web")?.isRestartPending == true)
        _ = bench.exited("db", .signal(.terminate))
        _ = bench.spawned("db")
        _ = bench.pass(.seconds(2))
        #expect(bench.state("web") == .stopping)
    }

    @Test func `a replaced one that may take for ever to start holds up no new start`() throws {
        var slow = service("slow")
        slow.health.readiness = Probe(.tcp(port: .number(1), host: nil))
        slow.start.timeout = .zero
        var bench = try Bench(slow, service("next", after: ("slow", .healthy)))
        _ = bench.up()
        _ = bench.spawned("slow")
        _ = bench.probed("slow", 0, .success)
        _ = bench.spawned("next")
        _ = bench.pass(.seconds(2))
        let plan = try Self.plan(
            bench, slow.changed(), service("next", after: ("slow", .healthy)).changed(), service("new"))
        _ = bench.send(.apply(plan, selection: nil))
        #expect(bench.exited("slow", .signal(.terminate)).contains(bench.spawn(of: "new")))
    }

    @Test func `who waits for its restart, and crashes, tells of the crash`() throws {
        let (db, web) = (service("db"), service("web", after: ("db", .healthy)))
        var bench = try Self.running(db, web)
        var broken = db.changed()
        broken.restart.policy = .never
        _ = bench.send(.apply(try Self.plan(bench, broken, web.changed()), selection: nil))
        _ = bench.exited("db", .signal(.terminate))
        _ = bench.spawned("db")
        _ = bench.exited("db", .code(1))
        #expect(bench.status("web")?.reason.hasPrefix("it runs as it was declared before") == true)
        _ = bench.send(.exited(bench.place("web"), bench.incarnation("web"), .code(3)))
        #expect(bench.state("web") == .stopping)
        #expect(bench.status("web")?.reason == "exit 3")
    }

    @Test func `why a life gives way is told with it`() throws {
        let db = service("db")
        var web = service("web", after: ("db", .started))
        let port = Reference.sidecarPort(sidecar: "db", replica: nil, port: "sql")
        web.environment = [EnvironmentEntry(name: "DB", value: Template(segments: [.reference(port)]))]
        var bench = try Self.running(db, web)
        _ = bench.reconciler.takeTransitions()
        _ = bench.send(.portMoved(bench.place("db")))
        let moved = try #require(bench.reconciler.takeTransitions().first)
        #expect(moved.cause == "to be restarted: an address of db has moved")
        #expect(moved.causedBy == "db")
        _ = bench.exited("web", .signal(.terminate))
        _ = bench.spawned("web")
        _ = bench.pass(.seconds(2))
        _ = bench.reconciler.takeTransitions()
        _ = bench.send(.apply(try Self.plan(bench, db, web.changed()), selection: nil))
        #expect(bench.reconciler.takeTransitions().first?.cause == "to be restarted: command changed")
    }
}
