import ChaosKit
import Testing

extension EndToEnd {
    /// What hooks leave in the log of their sidecar.
    @Suite
    struct HookLogTests {
        @Test(arguments: ["webhook: \"http://127.0.0.1:1/x\"", "shell: \"exit 9\"", "exec: [/no/such/program]"])
        func `a pre_start hook that fails stands in the log of a sidecar that never ran`(hook: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  web: { command: [sleep, \"1000\"], restart: never, hooks: { pre_start: { \(hook) } } }")
                #expect(try sandbox.orchestrate("up", "-d").status == 1)
                let log = try sandbox.succeed("logs", "web")
                #expect(log.contains("hook pre_start failed: "), "\(log)")
                try sandbox.succeed("down")
            }
        }
    }
}
