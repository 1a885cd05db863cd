import Planning
import Reconciliation
import SidecarModel
import SimulationKit
import Testing

/// What the simulation found where lives are ended for new ones.
@Suite struct FoundReplacementTests {
    @Test func `a replacement that waits for its turn is remembered by the next supervisor`() throws {
        let (db, web) = (SidecarSpec.service("db"), SidecarSpec.service("web", after: .healthy("db")))
        var world = try World(db, web)
        world.natures["db"]?.reaction = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        let edited = try Plan(project: world.plan.project, sidecars: [db.edited(), web.edited()])
        try world.request(.apply(edited, selection: nil))
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.pass(.seconds(20))
        #expect(world.status("db")?.incarnation == Incarnation(3))
        #expect(world.status("web")?.incarnation == Incarnation(4))
    }

    @Test func `who depends on what is being restarted starts on the new one`() throws {
        let web = SidecarSpec.service("web", after: .healthy("db"))
        var world = try World(web, .service("db"))
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("web")
        _ = world.takeEffects()
        try world.request(.restart(["web", "db"], by: .user))
        try world.pass(.seconds(2))
        #expect(
            world.takeEffects().filter { $0.hasPrefix("spawn") } == ["spawn db/0 #3", "spawn web/0 #4"])
    }

    @Test func `new replicas start although what depends on them is to be replaced first`() throws {
        let db = SidecarSpec.service("db")
        let web = SidecarSpec.service("web", after: .healthy("db")) { $0.replicas = 2 }
        var world = try World(db, web)
        try world.up()
        try world.pass(.seconds(1))
        var more = db
        more.replicas = 2
        let plan = try Plan(project: world.plan.project, sidecars: [more, web.edited()])
        try world.request(.apply(plan, selection: nil))
        try world.pass(.seconds(5))
        #expect(world.state("db", 1) == .healthy)
        #expect((0..<2).map { world.state("web", $0) } == [.healthy, .healthy])
    }

    @Test func `a cascade does not reach past what is not declared any more and still ends`() throws {
        let mid = SidecarSpec.service("mid", after: .healthy("db"))
        let web = SidecarSpec.service("web", after: .healthy("mid"))
        var world = try World(.service("db"), mid, web)
        world.natures["mid"]?.reaction = .seconds(1)
        try world.up()
        try world.pass(.seconds(1))
        var none = mid
        none.replicas = 0
        let plan = try Plan(project: world.plan.project, sidecars: [.service("db"), none, web])
        try world.request(.apply(plan, selection: nil))
        #expect(world.state("mid") == .stopping)
        try world.request(.stop(["db"], scope: .cascade, by: .user))
        try world.pass(.seconds(5))
        #expect(world.state("db") == .stopped)
        #expect(world.state("web") == .healthy)
    }

    @Test func `the next supervisor goes on replacing one instance at a time`() throws {
        let api = SidecarSpec.service("api") {
            $0.replicas = 3
            $0.start.settle = .seconds(5)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(10))
        let plan = try Plan(project: world.plan.project, sidecars: [api.edited()])
        try world.request(.apply(plan, selection: nil))
        try world.pass(.seconds(1))
        #expect((0..<3).map { world.state("api", $0) } == [.healthy, .healthy, .starting])
        try world.replaceSupervisor(after: .milliseconds(100))
        try world.pass(.seconds(1))
        #expect((0..<3).map { world.state("api", $0) } == [.healthy, .healthy, .starting])
        try world.pass(.seconds(30))
        #expect((0..<3).map { world.status("api", $0)?.incarnation.number } == [6, 5, 4])
    }

    @Test func `a replacement that is asked for again before it has arrived does not hold up the next one`() throws {
        let api = SidecarSpec.service("api") {
            $0.replicas = 2
            $0.start.settle = .seconds(1)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(5))
        for edition in [api.edited(), api.edited().edited()] {
            let plan = try Plan(project: world.plan.project, sidecars: [edition])
            try world.request(.apply(plan, selection: nil))
            try world.pass(.milliseconds(500))
        }
        try world.pass(.seconds(10))
        #expect((0..<2).map { world.state("api", $0) } == [.healthy, .healthy])
        #expect((0..<2).map { world.status("api", $0)?.incarnation.number } == [5, 4])
    }

    @Test func `nothing of a sidecar that is up is replaced while another instance of it is down`() throws {
        let api = SidecarSpec.service("api") {
            $0.replicas = 2
            $0.start.settle = .seconds(5)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(6))
        try world.crash("api", 0)
        try world.pass(.seconds(1))
        try world.request(.restart(["api/1"], by: .user))
        try world.pass(.seconds(4))
        #expect(world.state("api", 0) == .starting)
        #expect(world.status("api", 1)?.incarnation == Incarnation(2))
        try world.pass(.seconds(10))
        #expect(world.status("api", 1)?.incarnation == Incarnation(4))
    }

    @Test func `an instance is restarted although another one pauses after its crash`() throws {
        let api = SidecarSpec.service("api") {
            $0.replicas = 2
            $0.restart.delay = .seconds(30)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("api", 0)
        try world.request(.restart(["api/1"], by: .user))
        try world.pass(.seconds(1))
        #expect(world.state("api", 0) == .backoff)
        #expect(world.status("api", 1)?.incarnation == Incarnation(3))
    }

    @Test func `what is replaced in the turn in which its dependency arrives is not probed any more`() throws {
        let web = SidecarSpec.service("web", after: DependencySpec(sidecar: "db", condition: .started)) {
            $0.health.startup = Probe(.tcp(port: .number(80), host: nil))
            $0.health.startup?.initialDelay = .seconds(1)
        }
        let db = SidecarSpec.service("db") { $0.start.settle = .seconds(1) }
        let plan = try Plan(project: ProjectSpec(name: "turn", directory: "/"), sidecars: [web, db])
        var core = Reconciler(plan: plan, seed: 1)
        let (webPlace, dbPlace) = (InstanceIndex(0), InstanceIndex(1))
        let now = Instant(nanoseconds: 0)
        let story: [Input] = [
            .apply(plan, selection: nil), .spawned(dbPlace, Incarnation(1), Spawned(pid: 1)),
            .spawned(webPlace, Incarnation(2), Spawned(pid: 2)), .restart(["db", "web"], by: .user),
            .exited(dbPlace, Incarnation(1), .code(0)), .emptied(dbPlace, Incarnation(1)),
            .spawned(dbPlace, Incarnation(3), Spawned(pid: 3)),
        ]
        for input in story {
            core.observe(input, at: now)
            _ = core.reconcile(at: now)
        }
        core.observe(.tick, at: now + .seconds(1))
        #expect(
            core.reconcile(at: now + .seconds(1)) == [
                .endProbes(webPlace, Incarnation(2)), .signal(webPlace, Incarnation(2), .terminate, .leader),
            ])
    }
}
