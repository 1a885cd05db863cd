import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// A round of all that `make chaos` counts. What fails prints its seed; `ORCHESTRATE_CHAOS_SEED` gives it again.
    @Suite
    struct ChaosTests {
        private static let withNeeds = ["slow-disk", "clock"]

        @Test(arguments: Scenarios.all(earlier: nil).map(\.name).filter { !withNeeds.contains($0) })
        func `whatever is killed, nothing is orphaned, doubled, lost or torn, and it settles`(_ name: String) throws {
            try play(name)
        }

        @Test(.enabled(if: SlowDisk.obstacle == nil, "\(SlowDisk.obstacle ?? "")"))
        func `nor on a disk that stalls`() throws { try play("slow-disk") }

        @Test(.enabled(if: ShiftedClock.obstacle == nil, "\(ShiftedClock.obstacle ?? "")"))
        func `nothing happens earlier, later or again because the wall clock jumps`() throws {
            try play("clock", rounds: 8)
        }

        private func play(_ name: String, rounds: Int = 1) throws {
            let scenario = try #require(Scenarios.all(earlier: nil).first { $0.name == name })
            let seed = getenv("ORCHESTRATE_CHAOS_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64(time(nil))
            let tally = Campaign { print($0) }.run(scenario, rounds: rounds, seed: seed)
            var table = CountTable()
            table.add(scenario, tally, seed: seed)
            #expect(tally.isFaultless, "\(table.text)")
        }
    }
}
