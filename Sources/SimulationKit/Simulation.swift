import Reconciliation
import SidecarModel

/// One seed's whole history: a manifest, a mix of faults, people who meddle; then calm, in which all must settle; then
/// the end, after which nothing may be left.
package struct Simulation: Sendable {
    package struct Options: Sendable {
        package var disabled: Set<Fault> = []
        package var bug: PlantedBug?
        /// Inputs before the calm.
        package var turbulence = 2500
        package var recordsCoverage = false
        package var recordsTrace = false
        /// How many inputs pass between two looks at every instance.
        package var auditEvery = 16

        package init() {}
    }

    package struct Failure: Error, Sendable {
        package var seed: UInt64
        package var inputs: Int
        package var broken: InvariantBroken
        package var faults: [Fault]
        package var trace: [String]
    }

    package let seed: UInt64
    package let options: Options
    package private(set) var world: World

    package init(seed: UInt64, options: Options = Options()) {
        self.seed = seed
        self.options = options
        var generator = Generator(seed: seed)
        let draft = ManifestDraft(drawnFrom: &generator)
        let mix = FaultMix(drawnFrom: &generator, without: options.disabled)
        world = World(draft: draft, mix: mix, seed: generator.next(), bug: options.bug)
        world.auditEvery = options.auditEvery
        if options.recordsCoverage { world.coverage = Coverage() }
        if options.recordsTrace { world.trace = [] }
    }

    /// Throws the first invariant that did not hold.
    package mutating func run() throws(Failure) {
        let faults = world.mix.active
        do throws(InvariantBroken) {
            try world.begin()
            // A manifest whose sidecars have all ended may leave little to tell.
            let turbulence = hasRelease ? options.turbulence * 4 / 5 : options.turbulence
            while world.inputs < turbulence, world.events < 3 * turbulence, try world.step() {}
            if hasRelease { try release() }
            try world.calmDown()
            try settle()
            if hasRelease {
                try world.movePorts()
                try settle()
            }
            try end()
        } catch {
            throw Failure(
                seed: seed, inputs: world.inputs, broken: error, faults: faults, trace: world.trace ?? [])
        }
    }

    /// Not always: it would hide what people did last.
    private var hasRelease: Bool { seed.isMultiple(of: 3) }

    private mutating func release() throws(InvariantBroken) {
        try world.changeAll()
        let begun = world.events
        while world.events < begun + options.turbulence / 10, try world.step() {}
    }

    private mutating func settle() throws(InvariantBroken) {
        let limit = world.now + .seconds(600)
        var isSettled = false
        while !isSettled, world.now < limit {
            guard try world.step() else { break }
            isSettled = world.isAtRest
        }
        try world.checkSettled()
    }

    private mutating func end() throws(InvariantBroken) {
        if world.finished == nil { try world.request(.shutdown(by: .user)) }
        let limit = world.now + .seconds(600)
        while world.finished == nil, world.now < limit, try world.step() {}
        try world.checkEnded()
    }
}

extension Simulation.Failure {
    /// The same failure with its story, from fewer kinds of faults where that is enough.
    package func shrunk(options: Simulation.Options) -> Simulation.Failure {
        var best = self
        var options = options
        for fault in Fault.allCases where best.faults.contains(fault) {
            var fewer = options
            fewer.disabled.insert(fault)
            var simulation = Simulation(seed: seed, options: fewer)
            do throws(Simulation.Failure) {
                try simulation.run()
            } catch  where error.broken.invariant == broken.invariant {
                best = error
                options = fewer
            } catch {}
        }
        options.recordsTrace = true
        // What is found by a look at everything is found where it began.
        options.auditEvery = 1
        var simulation = Simulation(seed: seed, options: options)
        do throws(Simulation.Failure) { try simulation.run() } catch { best = error }
        return best
    }

    package var report: String {
        """
        seed \(seed), input \(inputs): \(broken.invariant.rawValue)
          seen: \(broken.detail)
          faults: \(faults.map { "\($0)" }.joined(separator: " "))
        \(trace.suffix(80).joined(separator: "\n"))
        """
    }
}
