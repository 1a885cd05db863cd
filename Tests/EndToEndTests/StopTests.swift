import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What people are told while sidecars stop.
    @Suite
    struct StopTests {
        /// `b` stays as long as it may, and `a` waits for it.
        private static let stubborn = """
              a: { command: [sleep, "1000"] }
              b:
                shell: "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
                depends_on: [a]
                stop: { grace: 60s }
                health: { log: deaf }
            """

        @Test func `down says at its end that nothing is left, also where nothing ran any more`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("stop", "web")
                #expect(try sandbox.succeed("down") == "nothing is left running\n")
                #expect(try sandbox.succeed("down") == "nothing of \(sandbox.manifest) is running\n")
                #expect(
                    try sandbox.succeed("down", "--release-ports") == "nothing of \(sandbox.manifest) is running\n")
            }
        }
    }
}
