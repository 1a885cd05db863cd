import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// A wall clock that somebody sets while a project runs. It is the programs' own: the machine's is left alone.
    @Suite
    struct WallClockTests {
        private static let day = 86_400

        @Test(
            .enabled(if: ShiftedClock.obstacle == nil, "\(ShiftedClock.obstacle ?? "")"),
            arguments: [-30 * day, 30 * day])
        func `status shows when all of it began by what the clock says now, and nothing is restarted`(
            _ jump: Int
        ) throws {
            try Sandbox.run { sandbox in
                let clock = try ShiftedClock(in: sandbox)
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                #expect(try sandbox.start(["up", "-d"], environment: clock.environment).end().status == 0)
                let before = sandbox.sidecars("one")
                clock.jump(by: jump)
                let status = try sandbox.start(["status", "--json"], environment: clock.environment).end().output
                for key in ["supervisor_started_at", "started_at", "since"] {
                    let shown = try #require(ShiftedClock.instants(of: key, in: status).first, "\(status)")
                    #expect(abs(clock.now - shown) < 60, "\(key): \(status)")
                }
                #expect(sandbox.sidecars("one") == before)
                #expect(try sandbox.start(["down"], environment: clock.environment).end().status == 0)
            }
        }

        @Test func `what has not changed is shown as it was, by the next supervisor too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                func shown() throws -> [String] {
                    let status = try sandbox.succeed("status", "--json")
                    return status.matches(of: /"(?:started_at|since)" : "([^"]+)"/).map { String($0.1) }
                }
                let first = try shown()
                for _ in 0..<3 {
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("another takes over") {
                        sandbox.supervisor.map { $0 != supervisor } ?? false
                    }
                    #expect(try shown() == first)
                }
                let told = try sandbox.succeed("events", "-n", "1").firstMatch(of: /"at":"([^"]+)"/)
                #expect(told.map { first.contains(String($0.1)) } == true)
                try sandbox.succeed("down")
            }
        }
    }
}
