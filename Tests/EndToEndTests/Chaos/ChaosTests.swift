import Glibc
import Testing

extension EndToEnd {
    /// Projects, operators and faults by chance, and after each round the proof from outside. A round that fails prints
    /// its seed; `ORCHESTRATE_CHAOS_SEED` and one round give it again.
    @Suite
    struct ChaosTests {
        @Test func `whatever happens, nothing is orphaned, doubled, lost or torn, and it settles`() throws {
            let first = getenv("ORCHESTRATE_CHAOS_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64(time(nil))
            var total = ChaosCounts()
            for round in 0..<rounds {
                let seed = first + UInt64(round)
                try Sandbox.run { sandbox in
                    let chaos = ChaosRound(sandbox, seed: seed)
                    do {
                        try chaos.play()
                    } catch {
                        let timeline = chaos.timeline.joined(separator: "\n")
                        let project = Directory.entries("\(sandbox.directory)/state/orchestrate").first {
                            $0 != "ports"
                        }
                        let log = File.text("\(sandbox.directory)/state/orchestrate/\(project ?? "")/supervisor.log")
                        throw HarnessError(
                            """
                            ORCHESTRATE_CHAOS_SEED=\(seed) ORCHESTRATE_CHAOS_ROUNDS=1
                            \(error)
                            \(timeline)
                            \(File.text(sandbox.manifest))
                            supervisor.log:
                            \(log.suffix(4000))
                            """)
                    }
                    total += chaos.counts
                }
            }
            print(
                "chaos from seed \(first): \(rounds) rounds, \(total.faults) faults, \(total.lives) lives, \(total.lines) lines,",
                "\(total.repeated) repeated, \(total.escaped) escaped without cgroups and keeper")
        }
    }
}
