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
}
