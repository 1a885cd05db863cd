import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What a person reads when something is wrong: what, where, why, and the way out; and `validate` agrees with `up`.
    @Suite
    struct DiagnosticTests {
        struct Mistake: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let sidecars: String
            /// What the report must name.
            let names: [String]
        }

        static let inTheManifest = [
            Mistake(
                testDescription: "a wrong key", sidecars: "  db: { command: [sleep, \"1\"], environment: { A: b } }",
                names: ["environment", "env", "sidecars.yaml:"]),
            Mistake(
                testDescription: "a cycle",
                sidecars: "  a: { command: [sleep, \"1\"], depends_on: [b] }\n"
                    + "  b: { command: [sleep, \"1\"], depends_on: [a] }", names: ["a", "b", "sidecars.yaml:"]),
            Mistake(
                testDescription: "a missing file",
                sidecars: "  db: { command: [sleep, \"1\"], env_file: [not-there.env] }",
                names: ["not-there.env", "sidecars.yaml:"]),
            Mistake(
                testDescription: "an unknown dependency",
                sidecars: "  db: { command: [sleep, \"1\"] }\n  web: { command: [sleep, \"1\"], depends_on: [bd] }",
                names: ["bd", "db", "sidecars.yaml:"]),
        ]

        @Test(arguments: inTheManifest)
        func `validate and up agree on what is wrong`(mistake: Mistake) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(mistake.sidecars)
                let validate = try sandbox.orchestrate("validate")
                let up = try sandbox.orchestrate("up", "-d")
                #expect(validate.status == 3)
                #expect(up.status == 3)
                for name in mistake.names {
                    #expect(validate.everything.contains(name), "\(validate.everything)")
                    #expect(up.everything.contains(name), "\(up.everything)")
                }
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        static let whenStarting = [
            Mistake(
                testDescription: "a command that is not there",
                sidecars: "  db: { command: [no-such-program], restart: never }", names: ["db", "no-such-program"]),
            Mistake(
                testDescription: "a directory that is a file",
                sidecars: "  db: { command: [sleep, \"1\"], cwd: sidecars.yaml, restart: never }",
                names: ["db", "sidecars.yaml"]),
            Mistake(
                testDescription: "an early exit",
                sidecars:
                    "  db: { shell: \"echo the disk is full >&2; exit 3\", restart: never, health: { log: ^up } }",
                names: ["db", "3", "the disk is full"]),
        ]

        @Test(arguments: whenStarting)
        func `a failed start says which sidecar, which step and why`(mistake: Mistake) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(mistake.sidecars)
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1 || up.status == 3)
                for name in mistake.names { #expect(up.everything.contains(name), "\(up.everything)") }
                _ = try sandbox.orchestrate("down")
            }
        }

        @Test func `a life that could not begin has no last lines, least of all the former one's`() throws {
            try Sandbox.run { sandbox in
                let program = sandbox.directory + "/db"
                try File.write("#!/bin/sh\necho former; exec sleep 1000\n", to: program, mode: 0o755)
                try sandbox.declare("  db: { command: [./db], restart: never, health: { log: former } }")
                try sandbox.succeed("up", "-d")
                unlink(program)
                let restart = try sandbox.orchestrate("restart", "db")
                #expect(restart.status == 1)
                #expect(restart.everything.contains("no such file"), "\(restart.everything)")
                #expect(!restart.everything.contains("former"), "\(restart.everything)")
                #expect(try sandbox.succeed("logs", "db").contains("former"))
                try sandbox.succeed("down")
            }
        }

        @Test func `the last lines of a failed start are of its last life`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db:
                        shell: echo x >>lives; echo "life $(wc -l <lives)"; exit 3
                        start: { settle: 10s }
                        restart: { max_attempts: 2 }
                    """)
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(up.errors.split(separator: "\n").filter { $0.contains("| life ") }.count == 1, "\(up.errors)")
                #expect(!up.errors.contains("| life 1\n"), "\(up.errors)")
                try sandbox.succeed("down")
            }
        }

        @Test func `a port in use names its owner`() throws {
            try Sandbox.run { sandbox in
                let port = 20_000 + Int(getpid()) % 10_000
                let stranger = try Program(
                    ["python3", "-u", "-m", "http.server", "\(port)", "--bind", "127.0.0.1"],
                    directory: sandbox.directory,
                    environment: ["PATH": Sandbox.path])
                defer {
                    stranger.signal(SIGKILL)
                    _ = try? stranger.end()
                }
                try stranger.prints("Serving")
                try sandbox.declare(
                    """
                      web:
                        command: [sleep, "1000"]
                        ports: { http: \(port) }
                        restart: never
                    """)
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status != 0)
                #expect(up.everything.contains("\(port)"), "\(up.everything)")
                #expect(up.everything.contains("\(stranger.pid)"), "\(up.everything)")
                _ = try sandbox.orchestrate("down")
            }
        }

        @Test func `without any manifest validate tells programs so too, and plan prints nothing for them`() throws {
            try Sandbox.run { sandbox in
                let json = try sandbox.orchestrate("validate", "--format", "json")
                #expect(json.status == 3)
                #expect(json.output.contains(#""rule": "manifest-not-found""#), "\(json.everything)")
                #expect(json.output.contains("there is no sidecars.yaml in \(sandbox.directory) or above it"))
                let text = try sandbox.orchestrate("validate")
                #expect(text.status == 3 && text.output.contains("orchestrate init"), "\(text.everything)")
                let plan = try sandbox.orchestrate("plan", "--json")
                #expect(plan.status == 3 && plan.output.isEmpty, "\(plan.everything)")
                #expect(plan.errors.contains("there is no sidecars.yaml"), "\(plan.everything)")
            }
        }
    }
}
