import Planning
import Reconciliation
import SidecarModel
import SimulationKit
import Testing

/// What the simulation found in the core, each as the shortest story that shows it.
@Suite struct FoundTests {
    private let tcp = Probe(.tcp(port: .number(80), host: nil))

    @Test func `settling ends while the startup probe still fails`() throws {
        let api = SidecarSpec.service("api") { $0.health.startup = tcp }
        var world = try World(api)
        world.natures["api"]?.readyAfter = .seconds(2)
        try world.up()
        try world.pass(.seconds(1))
        #expect(world.state("api") == .starting)
        try world.pass(.seconds(5))
        #expect(world.state("api") == .healthy)
    }

    @Test func `an edit adds a readiness probe to a sidecar that settles`() throws {
        let api = SidecarSpec.service("api") { $0.start.settle = .seconds(1) }
        var world = try World(api)
        try world.up()
        try world.pass(.milliseconds(500))
        var edited = api
        edited.health.readiness = tcp
        world.natures["api"]?.readyAfter = .zero
        try world.request(.apply(try Plan(project: world.plan.project, sidecars: [edited]), selection: nil))
        try world.pass(.seconds(12))
        #expect(world.state("api") == .healthy)
    }

    @Test func `a startup probe that passed is not run again`() throws {
        let api = SidecarSpec.service("api") {
            $0.health.startup = tcp
            $0.health.startup?.period = .seconds(1)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(10))
        let probes = (world.trace ?? []).count { $0.hasSuffix("→ probe startup api/0 #1") }
        try world.pass(.seconds(10))
        #expect((world.trace ?? []).count { $0.hasSuffix("→ probe startup api/0 #1") } == probes)
    }

    @Test func `a sidecar says it is ready before its startup probe has passed`() throws {
        let api = SidecarSpec.service("api") {
            $0.health.startup = tcp
            $0.health.startup?.initialDelay = .seconds(1)
            $0.health.readiness = Probe(.notify)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.milliseconds(900))
        #expect(world.state("api") == .starting)
        try world.pass(.seconds(1))
        #expect(world.state("api") == .healthy)
    }

    @Test func `what cannot be killed is asked to restart, and has no second life beside it`() throws {
        var world = try World(.service("api"))
        world.natures["api"]?.reaction = Duration?.none
        world.natures["api"]?.killLatency = .seconds(60)
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.stop(["api"], scope: .only, by: .user))
        try world.pass(.seconds(20))
        #expect(world.status("api")?.reason.hasPrefix("cannot be killed") == true)
        try world.request(.restart(["api"], by: .user))
        try world.pass(.seconds(10))
        #expect(world.status("api")?.incarnation == Incarnation(1))
        try world.pass(.seconds(60))
        #expect(world.status("api")?.incarnation == Incarnation(2))
    }

    @Test func `a sidecar is scaled up again before all that was too many is gone`() throws {
        let api = SidecarSpec.service("api") { $0.replicas = 3 }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(1))
        var fewer = api
        fewer.replicas = 1
        try world.crash("api", 1)
        world.natures["api"]?.reaction = Duration?.none
        try world.request(.apply(try Plan(project: world.plan.project, sidecars: [fewer]), selection: nil))
        try world.pass(.microseconds(10))
        try world.request(.apply(try Plan(project: world.plan.project, sidecars: [api]), selection: nil))
        try world.pass(.seconds(60))
        #expect((0..<3).map { world.state("api", $0) } == [.healthy, .healthy, .healthy])
        #expect(world.core.instances.count == 3)
    }

    @Test func `a replica that is one too many does not hold up its dependents' condition`() throws {
        let db = SidecarSpec.service("db") {
            $0.replicas = 2
            $0.restart.policy = .never
        }
        let web = SidecarSpec.service("web", after: .healthy("db")) { $0.restart.policy = .never }
        var world = try World(db, web)
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("db", 0)
        try world.crash("web")
        var fewer = db
        fewer.replicas = 1
        try world.request(.apply(try Plan(project: world.plan.project, sidecars: [fewer, web]), selection: nil))
        try world.pass(.seconds(2))
        #expect(world.state("web") == .healthy)
    }

    @Test func `the end that a stop was for is remembered by the next supervisor`() throws {
        let api = SidecarSpec.service("api") {
            $0.health.liveness = tcp
            $0.health.liveness?.period = .seconds(1)
            $0.restart.policy = .never
        }
        var world = try World(api)
        world.natures["api"]?.reaction = .seconds(3)
        try world.up()
        try world.pass(.seconds(2))
        world.mix[.failingProbe] = 1000
        try world.pass(.seconds(4))
        #expect(world.state("api") == .stopping)
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.pass(.seconds(10))
        #expect(world.state("api") == .failed)
        #expect(world.status("api")?.reason.hasPrefix("liveness failed") == true)
    }

    @Test func `the end of the primary outlives the supervisor`() throws {
        let app = SidecarSpec.service("app") {
            $0.primary = true
            $0.restart.policy = .never
        }
        var world = try World(.service("db"), app)
        world.natures["db"]?.reaction = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("app", with: .code(42))
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.pass(.seconds(20))
        #expect(world.finished == 42)
    }

    @Test func `while all goes down nothing is started`() throws {
        var world = try World(.service("a"), .service("b"))
        world.natures["a"]?.reaction = .seconds(3)
        try world.up(["a"])
        try world.pass(.seconds(1))
        try world.request(.shutdown(by: .user))
        try world.request(.start(["b"], by: .user))
        try world.pass(.seconds(10))
        #expect(world.finished == 0)
    }

    @Test func `a stop that is edited on its way ends by the sequence it began with`() throws {
        let steps: [StopSpec.Step] = [
            .init(signal: .interrupt, wait: .seconds(1)), .init(signal: .terminate, wait: .seconds(9)),
        ]
        let api = SidecarSpec.service("api") { $0.stop.steps = steps }
        var world = try World(api)
        world.natures["api"]?.reaction = Duration?.none
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.restart(["api"], by: .user))
        var edited = api
        edited.stop.steps = []
        edited.stop.grace = .seconds(8)
        try world.request(.apply(try Plan(project: world.plan.project, sidecars: [edited]), selection: nil))
        try world.pass(.seconds(5))
        #expect(world.status("api")?.incarnation == Incarnation(1))
        try world.pass(.seconds(10))
        #expect(world.status("api")?.incarnation == Incarnation(2))
    }

    @Test func `a task whose branch was halted while it ran does not pass for what it was declared to be`() throws {
        let db = SidecarSpec.service("db") {
            $0.restart.policy = .never
            $0.health.readiness = tcp
        }
        let migrate = SidecarSpec.task("migrate", after: .healthy("db"))
        let web = SidecarSpec.service("web", after: .succeeded("migrate"))
        var world = try World(db, migrate, web)
        world.natures["migrate"]?.lifetime = .seconds(30)
        try world.up()
        try world.pass(.seconds(1))
        world.natures["db"]?.spawnFailure = .execute
        let plan = try Plan(project: world.plan.project, sidecars: [db.edited(), migrate.edited(), web])
        try world.request(.apply(plan, selection: nil))
        try world.pass(.seconds(60))
        #expect(world.state("db") == .failed)
        #expect(world.state("migrate") == .blocked)
        #expect(world.state("web") == .blocked)
    }

    @Test func `a task that got through does not run again for an address that moved meanwhile`() throws {
        let db = SidecarSpec.service("db")
        let seed = SidecarSpec.task("seed", after: .healthy("db")) {
            let port = Reference.sidecarPort(sidecar: "db", replica: nil, port: "sql")
            $0.environment = [EnvironmentEntry(name: "DB", value: Template(segments: [.reference(port)]))]
            $0.stop.grace = .seconds(3)
        }
        var world = try World(db, seed)
        world.natures["seed"]?.lifetime = .seconds(1)
        world.natures["seed"]?.children = 1
        world.natures["seed"]?.childReaction = .milliseconds(500)
        try world.up()
        try world.pass(.milliseconds(1200))
        #expect(world.state("seed") == .stopping)
        let place = try #require(world.core.instance(sidecar: "db", replica: 0))
        try world.request(.portMoved(place))
        try world.pass(.seconds(5))
        #expect(world.state("seed") == .completed)
        #expect(world.status("seed")?.restartsTotal == 0)
    }

    @Test func `a sidecar with all the time it wants to start is not ended by its liveness meanwhile`() throws {
        let api = SidecarSpec.service("api") {
            $0.start.timeout = .zero
            $0.health.liveness = tcp
            $0.health.liveness?.failureThreshold = 1
        }
        var world = try World(api)
        world.natures["api"]?.readyAfter = .seconds(30)
        try world.up()
        try world.pass(.seconds(60))
        #expect(world.status("api")?.incarnation == Incarnation(1))
    }

    @Test func `a task that is stopped while its children leave runs again when it is started`() throws {
        var world = try World(.task("seed"))
        world.natures["seed"]?.lifetime = .milliseconds(100)
        world.natures["seed"]?.children = 1
        world.natures["seed"]?.childReaction = .seconds(1)
        try world.up()
        try world.pass(.milliseconds(200))
        try world.request(.stop(["seed"], scope: .only, by: .user))
        try world.request(.start(["seed"], by: .user))
        try world.pass(.seconds(5))
        #expect(world.state("seed") == .completed)
        #expect(world.status("seed")?.incarnation == Incarnation(2))
    }

    @Test func `an edit takes away the startup probe that held readiness back`() throws {
        let api = SidecarSpec.service("api") {
            $0.start.timeout = .zero
            $0.health.startup = tcp
            $0.health.readiness = tcp
        }
        var world = try World(api)
        world.natures["api"]?.readyAfter = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        var edited = api
        edited.health.startup = nil
        try world.request(.apply(try Plan(project: world.plan.project, sidecars: [edited]), selection: nil))
        try world.pass(.seconds(20))
        #expect(world.state("api") == .healthy)
    }

    @Test func `a turn that nobody uses goes to the next one in line`() throws {
        let slow = SidecarSpec.service("slow") { $0.start.settle = .seconds(2) }
        let db = SidecarSpec.service("db") { $0.restart.delay = .seconds(30) }
        var world = try World(
            db, slow, .service("web", after: .healthy("db")), .service("api"), maxParallelStarts: 1)
        try world.up(["db"])
        try world.pass(.seconds(1))
        try world.up(["slow"])
        try world.pass(.milliseconds(100))
        try world.up()
        try world.crash("db")
        try world.pass(.seconds(5))
        #expect(world.state("api") == .healthy)
        #expect(world.state("web") == .waiting)
    }

    @Test func `what ends at one instant ends before anything begins`() throws {
        let api = SidecarSpec.service("api") {
            $0.health.startup = tcp
            $0.start.timeout = .seconds(60)
        }
        var cloud = SidecarSpec(name: "cloud", kind: .external)
        cloud.primary = true
        cloud.health.readiness = tcp
        cloud.start.timeout = .seconds(2)
        cloud.restart.policy = .never
        var world = try World(api, cloud)
        world.mix[.failingProbe] = 1000
        try world.up()
        try world.pass(.seconds(1))
        _ = world.takeEffects()
        try world.replaceSupervisor(after: .seconds(2))
        #expect(!(world.trace ?? []).contains { $0.hasSuffix("→ probe startup api/0 #1") })
        try world.pass(.seconds(10))
        #expect(world.finished == 1)
    }

    @Test func `what pre_stop takes is part of the grace, however many steps follow`() throws {
        let api = SidecarSpec.service("api") {
            $0.stop.steps = [
                .init(signal: .interrupt, wait: .seconds(1)), .init(signal: .terminate, wait: .seconds(9)),
            ]
            $0.hooks = [HookSpec(event: .preStop, action: .shell(Template("hook")))]
        }
        var world = try World(api)
        world.natures["api"]?.reaction = Duration?.none
        world.natures["api"]?.hookLatency = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.stop(["api"], scope: .only, by: .user))
        try world.pass(.milliseconds(9_900))
        #expect(world.lives("api"))
        try world.pass(.milliseconds(200))
        #expect(!world.lives("api"))
    }

    @Test func `who brings up what goes down because its primary ended gets the primary too`() throws {
        let app = SidecarSpec.service("app") {
            $0.primary = true
            $0.restart.policy = .onFailure
        }
        var world = try World(.service("db"), app)
        world.natures["db"]?.reaction = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("app", with: .code(0))
        try world.up()
        try world.pass(.seconds(10))
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.pass(.seconds(10))
        #expect(world.state("db") == .healthy)
        #expect(world.state("app") == .healthy)
    }

    @Test func `one instance is named, and all of them are required by another that is named`() throws {
        let db = SidecarSpec.service("db") { $0.replicas = 2 }
        var world = try World(db, .service("web", after: .healthy("db")))
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.stop(["db"], scope: .cascade, by: .user))
        try world.pass(.seconds(1))
        try world.request(.start(["db/0"], by: .user))
        try world.pass(.seconds(1))
        #expect(world.state("db", 1) == .stopped)
        try world.request(.start(["db/0", "web"], by: .user))
        try world.pass(.seconds(1))
        #expect(world.state("db", 1) == .healthy)
        #expect(world.state("web") == .healthy)
    }

    @Test func `a stop while all goes down does not hide from the next supervisor why it does`() throws {
        let app = SidecarSpec.service("app") {
            $0.primary = true
            $0.restart.policy = .never
        }
        var world = try World(.service("db"), app)
        world.natures["db"]?.reaction = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("app", with: .code(42))
        try world.request(.stop(["app"], scope: .only, by: .user))
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.pass(.seconds(20))
        #expect(world.finished == 42)
    }

    @Test func `a change taken back with the next supervisor leaves a task completed`() throws {
        let seed = SidecarSpec.task("seed", after: .healthy("db"))
        let plan = try Plan(project: ProjectSpec(name: "scenario", directory: "/"), sidecars: [.service("db"), seed])
        var world = try World(.service("db"), seed)
        world.natures["seed"]?.lifetime = .milliseconds(10)
        try world.up()
        try world.pass(.seconds(1))
        world.natures["db"]?.spawnLatency = .seconds(5)
        try world.request(.restart(["db"], by: .user))
        let edited = try Plan(project: plan.project, sidecars: [.service("db"), seed.edited()])
        try world.request(.apply(edited, selection: nil))
        #expect(world.state("seed") == .waiting)
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.request(.apply(plan, selection: nil))
        #expect(world.state("seed") == .completed)
        try world.pass(.seconds(20))
        #expect(world.status("seed")?.incarnation == Incarnation(2))
    }

    @Test func `who waits says so of everything it waits for`() throws {
        let web = SidecarSpec.service("web", after: .healthy("db"), .healthy("cache"))
        var world = try World(.service("db"), .service("cache"), web)
        world.natures["db"]?.spawnLatency = .seconds(5)
        try world.up()
        try world.pass(.seconds(1))
        #expect(world.status("web")?.waitingFor == ["db"])
        try world.request(.restart(["cache"], by: .user))
        #expect(world.status("web")?.waitingFor == ["db", "cache"])
    }
}
