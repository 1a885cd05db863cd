import Planning
import Reconciliation
import SidecarModel
import Testing

/// What changes in place is so from then on, for the life under way too.
@Suite struct InPlaceTests {
    private static func apply(_ spec: SidecarSpec, to bench: inout Bench) throws -> [Effect] {
        let plan = try Plan(project: bench.reconciler.plan.project, sidecars: [spec])
        return bench.send(.apply(plan, selection: nil))
    }

    @Test func `a service that completed is started when its policy now says that it runs again`() throws {
        var spec = service("web")
        spec.restart.policy = .never
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("web")
        _ = bench.exited("web", .code(0))
        #expect(bench.state("web") == .completed)
        #expect(bench.up() == [])
        spec.restart.policy = .onFailure
        #expect(try Self.apply(spec, to: &bench) == [])
        #expect(bench.state("web") == .completed)
        spec.restart.policy = .always
        #expect(try Self.apply(spec, to: &bench).contains(bench.spawn(of: "web")))
        #expect(bench.status("web")?.consecutiveFailures == 0)
    }

    @Test func `a restart that somebody asked for names the keys that changed meanwhile`() throws {
        let spec = service("web")
        var bench = try Bench(spec, service("user", after: ("web", .healthy)))
        _ = bench.up()
        _ = bench.spawned("web")
        let plan = try Plan(project: bench.reconciler.plan.project, sidecars: [spec.changed()])
        // Both before anything comes of either.
        bench.reconciler.observe(.restart(["web"], by: .user), at: bench.now)
        _ = bench.send(.apply(plan, selection: nil))
        #expect(bench.state("web") == .stopping)
        #expect(bench.status("web")?.reason == "to be restarted: asked for, and command changed")
    }

    @Test func `a task that completed stays so whatever becomes of its policy`() throws {
        var spec = service("job")
        (spec.kind, spec.restart.policy, spec.restart.successCodes) = (.task, .onFailure, [2])
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("job")
        _ = bench.exited("job", .code(2))
        spec.restart.successCodes = []
        #expect(try Self.apply(spec, to: &bench) == [])
        #expect(bench.state("job") == .completed)
    }

    @Test func `a readiness probe that is added to one that runs is believed when it fails`() throws {
        var spec = service("web")
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("web")
        _ = bench.pass(.seconds(1))
        #expect(bench.state("web") == .healthy)
        var probe = Probe(.tcp(port: .number(1), host: nil))
        probe.failureThreshold = 3
        spec.health.readiness = probe
        let effects = try Self.apply(spec, to: &bench)
        #expect(effects == [.probe(bench.place("web"), bench.incarnation("web"), .readiness)])
        for failures in 1...3 {
            #expect(bench.state("web") == .healthy)
            _ = bench.probed("web", 0, .failure("refused"))
            if failures < 3 { _ = bench.wait() }
        }
        #expect(bench.state("web") == .unhealthy)
        _ = bench.wait()
        _ = bench.probed("web", 0, .success)
        #expect(bench.state("web") == .healthy)
    }

    @Test func `a changed timeout of a task counts from when it was started`() throws {
        var spec = service("job")
        (spec.kind, spec.timeout, spec.restart.policy) = (.task, .seconds(4), .never)
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("job")
        let start = bench.now
        _ = bench.pass(.seconds(2))
        spec.timeout = .seconds(60)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.reconciler.nextDeadline == start + .seconds(60))
        spec.timeout = nil
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.reconciler.nextDeadline == nil)
        spec.timeout = .seconds(3)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.reconciler.nextDeadline == start + .seconds(3))
        spec.timeout = .seconds(1)
        let effects = try Self.apply(spec, to: &bench)
        #expect(effects.contains(.signal(bench.place("job"), bench.incarnation("job"), .terminate, .leader)))
        #expect(bench.status("job")?.reason == "ran longer than its timeout")
    }

    @Test func `a changed start timeout counts from when the start began, and an extension holds`() throws {
        var spec = service("web")
        spec.health.readiness = Probe(.notify)
        spec.start.timeout = .seconds(4)
        var bench = try Bench(spec)
        _ = bench.up()
        let begun = bench.now
        _ = bench.pass(.seconds(1))
        _ = bench.spawned("web")
        spec.start.timeout = .seconds(60)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.reconciler.nextDeadline == begun + .seconds(60))
        spec.start.timeout = .zero
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.reconciler.nextDeadline == nil)
        spec.start.timeout = .seconds(2)
        _ = try Self.apply(spec, to: &bench)
        _ = bench.send(.startExtended(bench.place("web"), bench.incarnation("web"), .seconds(8)))
        spec.start.timeout = .milliseconds(500)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.state("web") == .starting)
        #expect(bench.reconciler.nextDeadline == bench.now + .seconds(8))
        _ = bench.wait()
        #expect(bench.state("web") == .stopping)
    }

    @Test func `a start timeout that is over by the new declaration ends the start at once`() throws {
        var spec = service("web")
        spec.health.readiness = Probe(.notify)
        spec.start.timeout = .seconds(60)
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("web")
        _ = bench.pass(.seconds(2))
        spec.start.timeout = .seconds(1)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.state("web") == .stopping)
        #expect(bench.status("web")?.reason == "not healthy in time: no probe result in 1 s")
    }

    @Test func `a changed settling time counts from the spawn`() throws {
        var spec = service("web")
        spec.start.settle = .seconds(15)
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("web")
        let spawned = bench.now
        _ = bench.pass(.seconds(1))
        spec.start.settle = .seconds(5)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.reconciler.nextDeadline == spawned + .seconds(5))
        spec.start.settle = .milliseconds(500)
        _ = try Self.apply(spec, to: &bench)
        #expect(bench.state("web") == .healthy)
    }
}
