import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// A round of all that `make chaos` counts. What fails prints its seed; `ORCHESTRATE_CHAOS_SEED` gives it again.
    @Suite
    struct ChaosTests {
        @Test(arguments: Scenarios.all(earlier: nil).map(\.name))
        func `whatever is killed, nothing is orphaned, doubled, lost or torn, and it settles`(_ name: String) throws {
            let scenario = try #require(Scenarios.all(earlier: nil).first { $0.name == name })
            let seed = getenv("ORCHESTRATE_CHAOS_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64(time(nil))
            let tally = Campaign { print($0) }.run(scenario, rounds: 1, seed: seed)
            var table = CountTable()
            table.add(scenario, tally, seed: seed)
            #expect(tally.isFaultless, "\(table.text)")
        }
    }
}
