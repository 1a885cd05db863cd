import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What commands say to people and programs where only the words were wrong once.
    @Suite
    struct SentenceTests {
        @Test func `validate --strict calls warnings errors in each format`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [no-such-program-here] }")
                let lenient = try sandbox.orchestrate("validate", "--format", "json")
                #expect(lenient.status == 0)
                #expect(lenient.output.contains("\"valid\": true"), "\(lenient.everything)")
                let strict = try sandbox.orchestrate("validate", "--strict", "--format", "json")
                #expect(strict.status == 3)
                #expect(strict.output.contains("\"valid\": false"), "\(strict.everything)")
                #expect(strict.output.contains("\"severity\": \"error\""), "\(strict.everything)")
                let text = try sandbox.orchestrate("validate", "--strict")
                #expect(text.output.contains(" error: there is no command"), "\(text.everything)")
            }
        }

        @Test func `init of another file names it in the command that is next`() throws {
            try Sandbox.run { sandbox in
                let written = try sandbox.succeed("init", "-f", "other.yaml")
                #expect(written.contains("next: orchestrate up -f other.yaml"), "\(written)")
            }
        }

        @Test func `a port that is not there is refused with those that are`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"], ports: { http: auto, admin: auto } }")
                try sandbox.succeed("up", "-d")
                let refused = try sandbox.orchestrate("port", "web", "nix")
                #expect(refused.status == 1)
                #expect(refused.errors.contains("'web' has no port 'nix'; it has"), "\(refused.everything)")
                #expect(refused.errors.contains("http") && refused.errors.contains("admin"))
                try sandbox.succeed("down")
            }
        }

        @Test func `start of what was added to the manifest names the command that brings it up`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.declare(
                    "  web: { command: [sleep, \"1000\"] }\n  api: { command: [sleep, \"1000\"] }")
                let refused = try sandbox.orchestrate("start", "api")
                #expect(refused.status == 4)
                #expect(refused.errors.contains("The manifest declares it: orchestrate up -d api"))
                try sandbox.succeed("down")
            }
        }

        @Test func `ls does not count what a stopped supervisor does not tell`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                let supervisor = try #require(sandbox.supervisor)
                supervisor.signal(SIGSTOP)
                defer { supervisor.signal(SIGCONT) }
                let table = try sandbox.orchestrate("ls")
                #expect(table.output.contains("supervisor-silent"), "\(table.everything)")
                #expect(!table.output.contains("0/0"), "\(table.everything)")
                let list = try sandbox.orchestrate("ls", "--json").output
                #expect(!list.contains("\"ready\""), "\(list)")
                supervisor.signal(SIGCONT)
                try sandbox.succeed("down")
            }
        }
    }
}
