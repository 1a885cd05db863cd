import SimulationKit

/// `simulate [--seed N] [--steps N] [--soak] [--bug NAME] [--without FAULT,…]`
@main
enum Simulate {
    static func main() {
        let arguments: SimulateArguments
        do throws(SimulateArguments.Wrong) {
            arguments = try SimulateArguments(CommandLine.arguments.dropFirst())
        } catch {
            print(error.message)
            exitWith(64)
        }
        let clock = ContinuousClock()
        let began = clock.now
        var steps = 0
        var inputs = 0
        var seeds: UInt64 = 0
        var nextReport = arguments.reportEvery
        while steps < arguments.steps {
            var simulation = Simulation(seed: arguments.seed &+ seeds, options: arguments.options)
            do throws(Simulation.Failure) {
                try simulation.run()
            } catch {
                print(error.shrunk(options: arguments.options).report)
                print("again with: simulate --seed \(error.seed) --steps 1")
                exitWith(1)
            }
            steps += simulation.world.steps
            inputs += simulation.world.inputs
            seeds += 1
            if steps >= nextReport {
                print(summary(steps, inputs, seeds, clock.now - began))
                nextReport += arguments.reportEvery
            }
        }
        print(summary(steps, inputs, seeds, clock.now - began))
    }

    private static func summary(_ steps: Int, _ inputs: Int, _ seeds: UInt64, _ elapsed: Duration) -> String {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let rate = seconds > 0 ? Int(Double(steps) / seconds) : 0
        return "\(steps) steps (\(inputs) inputs, \(seeds) seeds), nothing found, \(rate) steps/s"
    }
}
