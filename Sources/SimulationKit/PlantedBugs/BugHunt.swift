/// Looks for a planted bug, seed after seed.
package struct BugHunt: Sendable {
    package let bug: PlantedBug
    package private(set) var steps = 0
    /// Nil: it was not found.
    package private(set) var failure: Simulation.Failure?

    /// - Parameter limit: of steps, over all seeds.
    package init(_ bug: PlantedBug, limit: Int) {
        self.bug = bug
        var options = Simulation.Options()
        options.bug = bug
        var seed: UInt64 = 1
        while steps < limit {
            var simulation = Simulation(seed: seed, options: options)
            do throws(Simulation.Failure) {
                try simulation.run()
            } catch {
                failure = error
            }
            steps += simulation.world.steps
            seed += 1
            if failure != nil { return }
        }
    }
}
