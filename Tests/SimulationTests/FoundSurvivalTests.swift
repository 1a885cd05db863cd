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
}
