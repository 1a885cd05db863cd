import Planning
import Reconciliation
import SidecarModel
import SimulationKit
import Testing

/// What people rely on, told in their words. The world judges every effect on the way.
@Suite struct ScenarioTests {
    @Test func `a dependent waits until its dependency is healthy`() throws {
        var world = try World(.service("web", after: .healthy("db")), .service("db"))
        try world.up()
        #expect(world.state("web") == .waiting)
        #expect(world.status("web")?.waitingFor == ["db"])
        try world.pass(.seconds(1))
        #expect(world.state("web") == .healthy)
        #expect(world.takeEffects() == ["spawn db/0 #1", "spawn web/0 #2"])
    }

    @Test func `a crash is followed by a pause and a new life`() throws {
        var world = try World(.service("api"))
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("api")
        #expect(world.state("api") == .backoff)
        #expect(!world.lives("api"))
        try world.pass(.milliseconds(499))
        #expect(world.state("api") == .backoff)
        try world.pass(.milliseconds(100))
        #expect(world.state("api") == .healthy)
        #expect(world.status("api")?.restartsTotal == 1)
    }

    @Test func `one restart that did not help is one restart`() throws {
        var world = try World(.service("db") { $0.restart.maxAttempts = 1 })
        world.natures["db"]?.lifetime = .milliseconds(5)
        world.natures["db"]?.exit = .code(3)
        try world.up()
        try world.pass(.seconds(10))
        #expect(world.status("db")?.reason == "exit 3, after 1 restart in a row")
    }

    @Test func `a sidecar that crashes too often has failed, and who needs it is blocked until it is started`() throws {
        let db = SidecarSpec.service("db") {
            $0.restart.maxAttempts = 2
            $0.restart.retryFailedAfter = .zero
        }
        var world = try World(db, .service("web", after: .healthy("db")))
        world.natures["db"]?.lifetime = .milliseconds(5)
        world.natures["db"]?.exit = .code(3)
        try world.up()
        try world.pass(.seconds(10))
        #expect(world.state("db") == .failed)
        #expect(world.status("db")?.reason == "exit 3, after 2 restarts in a row")
        #expect(world.state("web") == .blocked)
        world.natures["db"]?.lifetime = nil
        try world.request(.start(["db"], by: .user))
        try world.pass(.seconds(1))
        #expect(world.state("db") == .healthy)
        #expect(world.state("web") == .healthy)
    }

    @Test func `a sidecar that is not ready in time is stopped and tried again`() throws {
        let api = SidecarSpec.service("api") {
            $0.health.readiness = Probe(.tcp(port: .number(80), host: nil))
            $0.start.timeout = .seconds(5)
        }
        var world = try World(api)
        world.natures["api"]?.readyAfter = .seconds(60)
        try world.up()
        try world.pass(.milliseconds(5100))
        #expect(world.state("api") == .backoff)
        #expect(world.status("api")?.reason.hasPrefix("not healthy in time") == true)
        #expect(!world.lives("api"))
    }

    @Test func `liveness that fails ends the life and starts another`() throws {
        let api = SidecarSpec.service("api") {
            $0.health.liveness = Probe(.tcp(port: .number(80), host: nil))
            $0.health.liveness?.period = .seconds(1)
        }
        var world = try World(api)
        try world.up()
        try world.pass(.seconds(2))
        world.mix[.failingProbe] = 1000
        try world.pass(.seconds(4))
        world.mix[.failingProbe] = 0
        try world.pass(.seconds(2))
        #expect(world.state("api") == .healthy)
        #expect(world.status("api")?.restartsTotal == 1)
        #expect(world.takeEffects().contains("SIGTERM to leader of api/0 #1"))
    }

    @Test func `a task that succeeded does not run again when its dependent does, nor with the next supervisor`() throws
    {
        var world = try World(.task("migrate"), .service("web", after: .succeeded("migrate")))
        world.natures["migrate"]?.lifetime = .milliseconds(30)
        try world.up()
        try world.pass(.seconds(1))
        #expect(world.state("migrate") == .completed)
        try world.request(.restart(["web"], by: .user))
        try world.pass(.seconds(1))
        try world.replaceSupervisor(after: .seconds(1))
        try world.up()
        try world.pass(.seconds(1))
        #expect(world.state("web") == .healthy)
        #expect(world.takeEffects().filter { $0.hasPrefix("spawn migrate") } == ["spawn migrate/0 #1"])
    }

    @Test func `a task that succeeded is not undone by a stop, and does not run again for its dependent`() throws {
        var world = try World(.task("migrate"), .service("web", after: .succeeded("migrate")))
        world.natures["migrate"]?.lifetime = .milliseconds(30)
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.stop(["migrate"], scope: .only, by: .user))
        try world.request(.restart(["web"], by: .user))
        try world.pass(.seconds(1))
        try world.request(.stop(["migrate"], scope: .cascade, by: .user))
        try world.pass(.seconds(1))
        #expect(world.state("web") == .stopped)
        #expect(world.state("migrate") == .completed)
        try world.up()
        try world.pass(.seconds(1))
        #expect(world.state("web") == .healthy)
        #expect(world.takeEffects().filter { $0.hasPrefix("spawn migrate") } == ["spawn migrate/0 #1"])
    }

    @Test func `what goes down together goes down after its dependents are gone`() throws {
        var world = try World(.service("db"), .service("web", after: .healthy("db")))
        world.natures["web"]?.children = 1
        world.natures["web"]?.childReaction = .seconds(1)
        try world.up()
        try world.pass(.seconds(1))
        _ = world.takeEffects()
        try world.request(.shutdown(by: .user))
        try world.pass(.milliseconds(500))
        #expect(world.lives("web"))
        #expect(world.state("db") == .stopping)
        try world.pass(.seconds(2))
        #expect(
            world.takeEffects() == [
                "SIGTERM to leader of web/0 #2", "clear web/0 #2 with SIGTERM", "release web/0 #2",
                "SIGTERM to leader of db/0 #1", "clear db/0 #1 with SIGTERM", "release db/0 #1", "finish with 0",
            ])
        #expect(world.finished == 0)
    }

    @Test func `a stop during the pause before a restart wins`() throws {
        var world = try World(.service("api"))
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("api")
        try world.request(.stop(["api"], scope: .only, by: .user))
        try world.pass(.seconds(60))
        #expect(world.state("api") == .stopped)
        #expect(!world.lives("api"))
    }

    @Test func `a stop beats a restart that is under way`() throws {
        var world = try World(.service("api"))
        world.natures["api"]?.reaction = .seconds(2)
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.restart(["api"], by: .user))
        try world.pass(.seconds(1))
        try world.request(.stop(["api"], scope: .only, by: .user))
        try world.pass(.seconds(60))
        #expect(world.state("api") == .stopped)
    }

    @Test func `what ignores its stop signal is killed when the grace is over, not before`() throws {
        var world = try World(.service("api"))
        world.natures["api"]?.reaction = Duration?.none
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.stop(["api"], scope: .only, by: .user))
        try world.pass(.milliseconds(9_999))
        #expect(world.lives("api"))
        try world.pass(.seconds(1))
        #expect(!world.lives("api"))
    }

    @Test func `who is in a hurry waits for no grace`() throws {
        var world = try World(.service("db"), .service("web", after: .healthy("db")))
        world.natures["db"]?.reaction = Duration?.none
        world.natures["web"]?.reaction = Duration?.none
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.shutdown(by: .user))
        try world.request(.hurry(.noGrace))
        try world.pass(.milliseconds(20))
        #expect(world.finished == 0)
        #expect(!world.lives("db"))
    }

    @Test func `the end of the primary is the end of the project`() throws {
        let app = SidecarSpec.service("app", after: .healthy("db")) {
            $0.primary = true
            $0.restart.policy = .never
        }
        var world = try World(.service("db"), app)
        try world.up()
        try world.pass(.seconds(1))
        try world.crash("app", with: .code(42))
        try world.pass(.seconds(1))
        #expect(world.finished == 42)
        #expect(!world.lives("db"))
    }

    @Test func `one healthy replica is enough where the quorum is one`() throws {
        let db = SidecarSpec.service("db") {
            $0.replicas = 2
            $0.restart.policy = .never
        }
        var world = try World(
            db, .service("web", after: .healthy("db", quorum: 1)), .service("all", after: .healthy("db")))
        try world.up(["db"])
        try world.pass(.seconds(1))
        try world.crash("db", 1)
        try world.up()
        try world.pass(.seconds(1))
        #expect(world.state("web") == .healthy)
    }

    @Test func `adoption keeps the process and its state`() throws {
        var world = try World(.service("db"), .service("web", after: .healthy("db")))
        try world.up()
        try world.pass(.seconds(1))
        let before = world.status("db")
        _ = world.takeEffects()
        try world.replaceSupervisor(after: .seconds(5))
        #expect(world.status("db")?.pid == before?.pid)
        #expect(world.state("db") == .healthy)
        #expect(world.status("db")?.since == before?.since)
        #expect(world.takeEffects() == [])
        try world.crash("db", with: .signal(.kill))
        #expect(world.status("db")?.lastExit == .signal(.kill))
    }

    @Test func `what ended while nobody looked is found, and started again`() throws {
        var world = try World(.service("db"))
        world.natures["db"]?.lifetime = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        world.natures["db"]?.lifetime = nil
        try world.replaceSupervisor(after: .seconds(5), losingKeeper: true)
        #expect(world.status("db")?.lastExit == .unknown)
        try world.pass(.seconds(2))
        #expect(world.state("db") == .healthy)
    }

    @Test func `no more start at once than the project allows`() throws {
        var world = try World(
            .service("a"), .service("b"), .service("c"), maxParallelStarts: 1)
        try world.up()
        #expect(world.takeEffects() == ["spawn a/0 #1"])
        try world.pass(.seconds(1))
        #expect(["a", "b", "c"].allSatisfy { world.state($0) == .healthy })
    }
}
