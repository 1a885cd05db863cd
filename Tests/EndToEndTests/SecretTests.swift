import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Secrets reach whom they are for, and nobody and nothing else.
    @Suite
    struct SecretTests {
        private static let environment = ["API_TOKEN": "t0ken-from-the-environment"]
        private static let declared = """
            secrets:
              pg: { generate: 40 }
              api: { env: API_TOKEN }
              key: { file: key.pem }
              tool: { command: [sh, -c, "echo printed-by-a-command | tr a-z A-Z"] }
            """
        private static let sidecars = """
              one:
                shell: 'printenv PG API TOOL > one.env; cat "$KEY" > one.key; ls "$CREDENTIALS_DIRECTORY" > one.names; exec sleep 1000'
                secrets: { PG: pg, API: api, TOOL: tool, KEY: { from: key, as: file } }
                health: { exec: [sh, -c, 'test -s one.names && test -n "$PG"'], period: 500ms }
              other: { shell: 'env > other.env; exec sleep 1000', health: { file: other.env, period: 500ms } }
            """

        private func withSecrets(_ body: (Sandbox) throws -> Void) throws {
            // As most people run it; PrivilegeTests does it as root.
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                try File.write("-----BEGIN KEY-----\nfrom-a-file\n", to: "\(sandbox.directory)/key.pem")
                try sandbox.declare(Self.sidecars, top: Self.declared)
                try up(sandbox)
                try body(sandbox)
                try sandbox.succeed("down")
            }
        }

        private func up(_ sandbox: Sandbox) throws {
            let ended = try sandbox.start(["up", "-d", "--timeout", "30s"], environment: Self.environment).end()
            try #require(ended.status == 0, "\(ended.everything)")
        }

        private func values(in sandbox: Sandbox) -> [String] {
            File.text("\(sandbox.directory)/one.env").split(separator: "\n").map(String.init)
        }

        @Test func `each source reaches the sidecar that names it, and no other`() throws {
            try withSecrets { sandbox in
                let values = values(in: sandbox)
                try #require(values.count == 3)
                #expect(values[0].utf8.count == 40)
                #expect(values[0].utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x7A })
                #expect(values[1...] == ["t0ken-from-the-environment", "PRINTED-BY-A-COMMAND"])
                #expect(File.text("\(sandbox.directory)/one.key") == "-----BEGIN KEY-----\nfrom-a-file\n")
                #expect(File.text("\(sandbox.directory)/one.names") == "key\n")
                let other = File.text("\(sandbox.directory)/other.env")
                #expect(!other.isEmpty)
                for secret in values + ["from-a-file", "API_TOKEN"] { #expect(!other.contains(secret)) }
            }
        }

        @Test func `no command, no argument and no file but the vault shows a value`() throws {
            try withSecrets { sandbox in
                let secrets = values(in: sandbox) + ["from-a-file"]
                var shown = ""
                for words in [
                    ["env", "one"], ["env", "one", "--json"], ["status"], ["status", "--json"], ["why", "one"],
                    ["plan"], ["plan", "--json"], ["events"], ["logs"], ["validate", "--format", "json"],
                ] {
                    let ended = try sandbox.start(words, environment: Self.environment).end()
                    #expect(ended.status == 0, "\(words): \(ended.everything)")
                    shown += ended.everything
                }
                #expect(shown.contains("PG=[redacted]"))
                for process in sandbox.sidecars() { shown += process.arguments.joined(separator: " ") }
                let state = files(below: "\(sandbox.directory)/state")
                #expect(state.contains { $0.hasSuffix("/journal.db") })
                for path in state where !path.hasSuffix("/secrets") && !path.contains("/credentials/") {
                    shown += File.text(path)
                }
                for secret in secrets { #expect(!shown.contains(secret), "\(secret) is shown") }
                let vault = try #require(state.first { $0.hasSuffix("/secrets") })
                #expect(mode(of: vault) == 0o600)
                for path in state where path.contains("/credentials/") { #expect(mode(of: path) == 0o400) }
                // Whoever is asked to run something as the sidecar needs them.
                let run = try sandbox.orchestrate("exec", "one", "--", "printenv", "PG")
                #expect(run.output == secrets[0] + "\n")
            }
        }

        @Test func `a generated value lasts as long as the project's life, whoever dies meanwhile`() throws {
            try withSecrets { sandbox in
                let first = try #require(values(in: sandbox).first)
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                try sandbox.eventually("the keeper starts it again") {
                    sandbox.supervisor.map { $0 != supervisor } ?? false
                }
                unlink("\(sandbox.directory)/one.env")
                try sandbox.succeed("restart", "one")
                try sandbox.eventually("it has written its environment") { values(in: sandbox).count == 3 }
                #expect(values(in: sandbox).first == first)

                // Its shell runs a command or two more.
                try sandbox.eventually("it only sleeps") {
                    sandbox.sidecars().allSatisfy { $0.executable == "sleep" }
                }
                let before = sandbox.sidecars()
                try sandbox.killSupervision()
                try up(sandbox)
                #expect(sandbox.sidecars() == before)
                unlink("\(sandbox.directory)/one.env")
                try sandbox.succeed("restart", "one")
                try sandbox.eventually("it has written its environment") { values(in: sandbox).count == 3 }
                #expect(values(in: sandbox).first == first)

                try sandbox.succeed("down")
                let left = files(below: "\(sandbox.directory)/state")
                #expect(!left.contains { $0.hasSuffix("/secrets") || $0.contains("/credentials/") })
                unlink("\(sandbox.directory)/one.env")
                try up(sandbox)
                try sandbox.eventually("it has written its environment") { values(in: sandbox).count == 3 }
                #expect(values(in: sandbox).first != first)
            }
        }

        @Test func `a value that has changed restarts those who get it, and nobody else`() throws {
            try withSecrets { sandbox in
                let (one, other) = (sandbox.sidecars("one"), sandbox.sidecars("other"))
                try up(sandbox)
                #expect(sandbox.sidecars("one") == one)
                try File.write("another key\n", to: "\(sandbox.directory)/key.pem")
                let ended = try sandbox.start(
                    ["up", "-d", "--timeout", "30s"], environment: Self.environment
                ).end()
                #expect(ended.status == 0)
                #expect(ended.everything.contains("one"))
                try sandbox.eventually("it has the new key") {
                    File.text("\(sandbox.directory)/one.key") == "another key\n"
                }
                #expect(Set(sandbox.sidecars("one")).isDisjoint(with: one))
                #expect(sandbox.sidecars("other") == other)
            }
        }

        @Test func `only what is brought up needs its secrets`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      one: { command: [sleep, "1000"], secrets: { A: tool } }
                      other: { command: [sleep, "1000"], secrets: { B: drawn } }
                    """, top: "secrets: { tool: { command: [\"false\"] }, drawn: { generate: 8 } }")
                try sandbox.succeed("up", "-d", "other")
                try sandbox.eventually("1 runs") { sandbox.sidecars("other").count == 1 }
                #expect(try sandbox.orchestrate("up", "-d").status == 1)
                try sandbox.succeed("down")
            }
        }

        @Test func `a secret that can't be read ends up before anything is changed`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      one: { command: [sleep, "1000"], secrets: { A: tool } }
                    """, top: "secrets: { tool: { command: [sh, -c, \"echo half-a-secret; exit 3\"] } }")
                let ended = try sandbox.orchestrate("up", "-d")
                #expect(ended.status == 1)
                #expect(
                    ended.errors.contains("cannot read the secret 'tool': 'sh' ended with exit 3; nothing was changed"))
                #expect(!ended.everything.contains("half-a-secret"))
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        private func mode(of path: String) -> mode_t {
            var facts = stat()
            return stat(path, &facts) == 0 ? facts.st_mode & 0o7777 : 0
        }

        private func files(below path: String) -> [String] {
            Directory.entries(path).flatMap { name -> [String] in
                let entry = "\(path)/\(name)"
                var facts = stat()
                guard lstat(entry, &facts) == 0 else { return [] }
                switch facts.st_mode & S_IFMT {
                case S_IFDIR: return files(below: entry)
                case S_IFREG: return [entry]
                default: return []
                }
            }
        }
    }
}
