import SimulationKit

/// `simulate [--seed N] [--steps N] [--soak] [--coverage] [--bug NAME] [--without FAULT,…]`
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
        if let length = arguments.smallWorld { exploreSmallWorld(length) }
        var tally = Tally()
        var nextReport = arguments.reportEvery
        // A rare pair of state and input may take longer to meet than the steps asked for.
        while tally.steps < arguments.steps
            || arguments.options.recordsCoverage && !tally.coverage.holes.isEmpty && tally.steps < 5 * arguments.steps
        {
            var simulation = Simulation(seed: arguments.seed &+ tally.seeds, options: arguments.options)
            do throws(Simulation.Failure) {
                try simulation.run()
            } catch {
                print(error.shrunk(options: arguments.options).report)
                print("again with: simulate --seed \(error.seed) --steps 1")
                exitWith(1)
            }
            tally.add(simulation.world)
            if tally.steps >= nextReport {
                print(tally.summary)
                nextReport += arguments.reportEvery
            }
        }
        print(tally.summary)
        if arguments.options.recordsCoverage { report(tally.coverage) }
    }

    /// Every sequence of moves in a world of two sidecars.
    private static func exploreSmallWorld(_ length: Int) {
        var small = SmallWorld(length: length)
        do throws(SmallWorld.Failure) {
            try small.explore()
        } catch {
            print(error.trace.joined(separator: "\n"))
            print("\(error.moves.map { "\($0)" }.joined(separator: ", ")): \(error.broken.invariant.rawValue)")
            print("  seen: \(error.broken.detail)")
            exitWith(1)
        }
        print("\(small.sequences) sequences of \(length) moves, nothing found")
    }

    /// The table of states and inputs: a number, `-` where a pair can't be, `HOLE` where it was not met.
    private static func report(_ coverage: Coverage) {
        for state in Coverage.states {
            for kind in Coverage.Kind.allCases {
                let count = coverage[state, kind]
                let isImpossible = Coverage.impossible(state, kind) != nil
                print("\(state) \(kind): \(count > 0 ? "\(count)" : isImpossible ? "-" : "HOLE")")
            }
        }
        if !coverage.holes.isEmpty || !coverage.surprises.isEmpty { exitWith(1) }
    }
}

/// What was simulated so far.
struct Tally {
    private(set) var steps = 0
    private(set) var inputs = 0
    private(set) var seeds: UInt64 = 0
    private(set) var coverage = Coverage()
    private let began = ContinuousClock().now

    mutating func add(_ world: World) {
        steps += world.steps
        inputs += world.inputs
        seeds += 1
        if let met = world.coverage { coverage.add(met) }
    }

    var summary: String {
        let elapsed = ContinuousClock().now - began
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let rate = seconds > 0 ? Int(Double(steps) / seconds) : 0
        return "\(steps) steps (\(inputs) inputs, \(seeds) seeds), nothing found, \(rate) steps/s"
    }
}
