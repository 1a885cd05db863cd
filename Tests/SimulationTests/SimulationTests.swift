import Reconciliation
import SidecarModel
import SimulationKit
import Testing

@Suite struct SimulationTests {
    @Test(arguments: 1...40) func `a seed breaks no invariant`(_ seed: UInt64) throws {
        var simulation = Simulation(seed: seed)
        do throws(Simulation.Failure) {
            try simulation.run()
        } catch {
            Issue.record("\(error.shrunk(options: simulation.options).report)")
        }
        #expect(simulation.world.steps > 0)
    }

    @Test func `a seed is the same history every time`() throws {
        var options = Simulation.Options()
        options.recordsTrace = true
        var first = Simulation(seed: 11, options: options)
        var second = Simulation(seed: 11, options: options)
        try first.run()
        try second.run()
        #expect(first.world.trace == second.world.trace)
        #expect(first.world.trace?.isEmpty == false)
    }

    @Test(arguments: PlantedBug.allCases) func `a planted bug is found`(_ bug: PlantedBug) {
        let hunt = BugHunt(bug, limit: 200_000)
        #expect(hunt.failure != nil, "not found in \(hunt.steps) steps: \(bug.rawValue)")
    }

    @Test func `a failure tells its seed, its invariant and its story`() throws {
        let failure = try #require(BugHunt(.forgetsDependencies, limit: 200_000).failure)
        var options = Simulation.Options()
        options.bug = .forgetsDependencies
        let shrunk = failure.shrunk(options: options)
        #expect(shrunk.broken.invariant == .edgesHold)
        #expect(shrunk.report.hasPrefix("seed \(failure.seed), input "))
        #expect(shrunk.trace.contains { $0.contains("apply") })
        #expect(shrunk.faults.count <= failure.faults.count)
    }

    @Test(arguments: FailingEffect.Mode.allCases) func `any one effect may go wrong`(_ mode: FailingEffect.Mode) throws
    {
        #expect(try FailingEffect.everyOne(mode) > 50)
    }

    @Test func `whatever happens to two sidecars in four moves, they settle and they end`() throws {
        var small = SmallWorld(length: 4)
        do throws(SmallWorld.Failure) {
            try small.explore()
        } catch {
            Issue.record("\(error.moves): \(error.broken)\n\(error.trace.joined(separator: "\n"))")
        }
        #expect(small.sequences == 4096)
    }

    /// The rarest pairs take a million steps: `simulate --coverage` demands them, here are most of them.
    @Test func `states meet the inputs they can meet, and no others`() throws {
        var options = Simulation.Options()
        options.recordsCoverage = true
        var coverage = Coverage()
        for seed: UInt64 in 1...60 {
            var simulation = Simulation(seed: seed, options: options)
            try simulation.run()
            if let met = simulation.world.coverage { coverage.add(met) }
        }
        #expect(coverage.surprises.map { "\($0.0) \($0.1)" } == [])
        #expect(coverage.holes.count < 40)
    }
}
