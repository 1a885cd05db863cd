import Reconciliation
import SidecarModel
import Testing

/// What hooks are told.
@Suite struct HookTests {
    private static func hooked(_ events: HookEvent...) -> SidecarSpec {
        var spec = service("web")
        spec.hooks = events.map { HookSpec(event: $0, action: .shell(Template("true"))) }
        return spec
    }

    private static func facts(_ event: HookEvent, in effects: [Effect]) -> HookFacts? {
        for case .runHook(_, _, event, let facts) in effects { return facts }
        return nil
    }

    @Test func `post_start is told why the life began, and not what was done before it`() throws {
        var bench = try Bench(Self.hooked(.preStart, .postStart))
        #expect(Self.facts(.preStart, in: bench.up())?.reason == "first start")
        #expect(bench.status("web")?.reason == "first start: pre_start runs")
        _ = bench.send(.hookFinished(bench.place("web"), bench.incarnation("web"), .preStart, failure: nil))
        #expect(bench.status("web")?.reason == "first start")
        #expect(Self.facts(.postStart, in: bench.spawned("web"))?.reason == "first start")
    }

    @Test func `a port that moves for a start is a step of it, and not why it began`() throws {
        var bench = try Bench(Self.hooked(.postStart))
        _ = bench.up()
        _ = bench.reconciler.takeTransitions()
        _ = bench.send(.portMoved(bench.place("web"), told: "port http moved from 80 to 81"))
        let steps = bench.reconciler.takeTransitions()
        #expect(steps.map(\.cause) == ["port http moved from 80 to 81"])
        #expect(steps.allSatisfy { $0.from == .starting && $0.to == .starting })
        #expect(Self.facts(.postStart, in: bench.spawned("web"))?.reason == "first start")
    }

    @Test func `only hooks of its end are told how a life ended`() throws {
        var bench = try Bench(Self.hooked(.preStart, .postStart, .onHealthy, .onCrash, .preStop, .postStop))
        _ = bench.up()
        func prepared(_ bench: inout Bench) -> [Effect] {
            bench.send(.hookFinished(bench.place("web"), bench.incarnation("web"), .preStart, failure: nil))
        }
        _ = prepared(&bench)
        _ = bench.spawned("web")
        let crash = bench.exited("web", .signal(.kill))
        #expect(Self.facts(.onCrash, in: crash)?.exit == .signal(.kill))
        #expect(Self.facts(.postStop, in: crash)?.exit == .signal(.kill))

        let next = try #require(Self.facts(.preStart, in: bench.wait()))
        #expect(next.exit == nil)
        _ = prepared(&bench)
        #expect(try #require(Self.facts(.postStart, in: bench.spawned("web"))).exit == nil)
        #expect(try #require(Self.facts(.onHealthy, in: bench.pass(.seconds(1)))).exit == nil)
        #expect(bench.status("web")?.lastExit == .signal(.kill))
        #expect(try #require(Self.facts(.preStop, in: bench.send(.stop(["web"], scope: .only, by: .user)))).exit == nil)
    }

    @Test func `a start that fails has no exit of the life before it`() throws {
        var bench = try Bench(Self.hooked(.onCrash))
        _ = bench.up()
        _ = bench.spawned("web")
        _ = bench.exited("web", .code(3))
        _ = bench.wait()
        let failure = SpawnFailure(step: .execute, message: "no such file")
        let effects = bench.send(.spawnFailed(bench.place("web"), bench.incarnation("web"), failure))
        #expect(try #require(Self.facts(.onCrash, in: effects)).exit == nil)
    }
}
