import Planning
import Reconciliation
import SidecarModel
import SimulationKit
import Testing

/// What the simulation found where one supervisor takes up what another one left.
@Suite struct FoundSurvivalTests {
    @Test func `the end of a primary that is only seen by the next supervisor ends all that is declared after it`()
        throws
    {
        let app = SidecarSpec.service("app") {
            $0.primary = true
            $0.restart.policy = .never
            $0.start.timeout = .seconds(5)
            $0.hooks = [HookSpec(event: .preStart, action: .shell(Template("hook")))]
        }
        var world = try World(app, .service("db"))
        world.natures["app"]?.hookLatency = .seconds(20)
        try world.up()
        try world.pass(.milliseconds(5_001))
        #expect(world.state("app") == .stopping)
        try world.replaceSupervisor(after: .seconds(1))
        try world.pass(.seconds(60))
        #expect(world.finished == 1)
    }

    @Test func `a task that gets through while it waits to be stopped runs again with the next up`() throws {
        var world = try World(.task("seed"), .service("web", after: .init(sidecar: "seed", condition: .started)))
        world.natures["seed"]?.lifetime = .seconds(2)
        world.natures["web"]?.reaction = .seconds(3)
        try world.up()
        try world.pass(.seconds(1))
        try world.request(.stop(["seed"], scope: .cascade, by: .user))
        try world.pass(.seconds(5))
        #expect(world.state("seed") == .stopped)
        let plan = world.plan
        try world.request(.apply(plan, selection: nil))
        try world.pass(.seconds(5))
        #expect(world.state("seed") == .completed)
    }
}
