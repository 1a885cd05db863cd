import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Ports that somebody else has.
    @Suite
    struct PortConflictTests {
        @Test func `validate tells of a port in use what up tells, and is content with the project's own`() throws {
            try Sandbox.run { sandbox in
                let port = Self.port(1)
                try sandbox.declare(
                    """
                      web:
                        command: [python3, -m, http.server, --bind, \(Self.address), "${ports.http}"]
                        ports: { http: { port: \(port), bind: \(Self.address) } }
                        restart: never
                    """)
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                let sentence = "port \(port) on \(Self.address) is in use by pid \(stranger.pid) (python3"
                let found = try sandbox.orchestrate("validate", sandbox.manifest)
                #expect(found.status == 0, "\(found.everything)")
                #expect(found.output.contains("warning: \(sentence)"), "\(found.everything)")
                #expect(found.output.contains("help: end it, or let the port move: \(port)-"), "\(found.everything)")
                #expect(try sandbox.orchestrate("validate", "--strict", sandbox.manifest).status == 3)
                #expect(try sandbox.succeed("validate", "--strict", "--no-host", sandbox.manifest).contains("is valid"))
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(up.everything.contains(sentence), "\(up.everything)")
                stranger.signal(SIGKILL)
                _ = try stranger.end()
                try sandbox.succeed("up", "-d")
                // By its own manifest it is in order; by that of another project it is not.
                #expect(try sandbox.succeed("validate", "--strict", sandbox.manifest).contains("is valid"))
                let other = "\(sandbox.directory)/other.yaml"
                try File.write(File.text(sandbox.manifest, first: 4096), to: other)
                let leased = try sandbox.orchestrate("validate", other)
                #expect(leased.output.contains("port \(port) belongs to web/0 of the running project"))
                #expect(leased.output.contains("orchestrate down --project"), "\(leased.everything)")
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["", "\nsecrets: { key: { generate: 32 } }"])
        func `an up that is refused tells of a port in use what validate tells`(more: String) throws {
            try Sandbox.run { sandbox in
                let port = Self.port(5)
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"], ports: { http: { port: \(port), bind: \(Self.address) } } }
                      db: { command: [sleep, "1000"], depends_on: [wbe], cwd: not-there }
                    """ + more)
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                let told = try sandbox.orchestrate("validate", sandbox.manifest).output
                #expect(told.contains("warning: port \(port) on \(Self.address) is in use"), "\(told)")
                #expect(told.contains("error: there is no sidecar 'wbe'"), "\(told)")
                for flag in ["-d", "--dry-run"] {
                    let refused = try sandbox.orchestrate("up", flag)
                    #expect(refused.status == 3)
                    // `validate` sums up, and writes the path as a person would.
                    let errors = refused.errors.replacing("\(sandbox.directory)/sidecars.yaml", with: "sidecars.yaml")
                    #expect(!errors.isEmpty && told.hasPrefix(errors), "\(told)\n\(errors)")
                }
            }
        }

        @Test func `a port that moved is in the journal, for events and why`() throws {
            try Sandbox.run { sandbox in
                let port = Self.port(6)
                try sandbox.declare(
                    """
                      web:
                        command: [sleep, "1000"]
                        ports: { http: { port: \(port), bind: \(Self.address), strict: false } }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("stop", "web")
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                try sandbox.succeed("start", "web")
                let sentence = "port http moved from \(port) to "
                #expect(try sandbox.succeed("events").contains(sentence))
                #expect(try sandbox.succeed("why", "web").contains(sentence))
                try sandbox.succeed("down")
            }
        }

        @Test func `who could not have its port shows none, and port says why`() throws {
            try Sandbox.run { sandbox in
                let port = Self.port(8)
                let first = """
                      a:
                        command: [sleep, "1000"]
                        ports: { p: { port: \(port)-\(port + 1), bind: \(Self.address) } }
                    """
                try sandbox.declare(first)
                try sandbox.succeed("up", "-d")
                try sandbox.declare(
                    first + """

                          b:
                            command: [sleep, "1000"]
                            ports: { p: { port: \(port), bind: \(Self.address) } }
                            restart: never
                        """)
                #expect(try sandbox.orchestrate("up", "-d").status == 1)
                #expect(try sandbox.succeed("port", "a") == "\(port)\n")
                let asked = try sandbox.orchestrate("port", "b", "p")
                #expect(asked.status == 1 && asked.output.isEmpty, "\(asked.everything)")
                #expect(asked.errors.contains("'b' has no port 'p' now: it is failed, port 'p': port \(port)"))
                #expect(try !sandbox.orchestrate("status", "b").output.contains(":\(port)"))
                try sandbox.succeed("down")
            }
        }

        @Test func `validate tells of a stranger that has the port of a stopped sidecar, by the manifest's text too`()
            throws
        {
            try Sandbox.run { sandbox in
                let port = Self.port(3)
                try sandbox.declare(
                    """
                      web:
                        command: [python3, -m, http.server, --bind, \(Self.address), "${ports.http}"]
                        ports: { http: { port: \(port), bind: \(Self.address) } }
                        health: { tcp: "${ports.http}" }
                      other: { command: [sleep, "1000"] }
                    """, top: "id: org.example.stranger")
                try sandbox.succeed("up", "-d")
                let text = "orchestrate validate --strict -f - <'\(sandbox.manifest)'"
                let own = try sandbox.shell(text).end()
                #expect(own.status == 0, "\(own.everything)")
                try sandbox.succeed("stop", "web")
                try sandbox.succeed("validate", "--strict", sandbox.manifest)
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                let found = try sandbox.orchestrate("validate", "--strict", sandbox.manifest)
                #expect(found.status == 3)
                #expect(found.output.contains("is in use by pid \(stranger.pid) (python3"), "\(found.everything)")
                #expect(try sandbox.shell(text).end().status == 3)
                // Its warnings would not be shown, and the port is not looked at.
                try sandbox.succeed("plan", sandbox.manifest)
                try sandbox.succeed("down")
            }
        }

        @Test func `what lives on without a supervisor has its own port in order`() throws {
            try Sandbox.run { sandbox in
                let port = Self.port(4)
                let server = "python3 -m http.server --bind \(Self.address) ${ports.http}"
                try sandbox.declare(
                    """
                      web:
                        shell: "setsid -f \(server); exec sleep 1000"
                        ports: { http: { port: \(port), bind: \(Self.address) } }
                        health: { tcp: "${ports.http}" }
                    """, top: "supervisor: { on_exit: keep }")
                try sandbox.succeed("up", "-d")
                try sandbox.killSupervision(withGuard: sandbox.guardian != nil)
                #expect(sandbox.sidecars("web").count == 2)
                try sandbox.succeed("validate", "--strict", sandbox.manifest)
                // Without its leader it is known by its mark, or its cgroup.
                let leader = try #require(sandbox.sidecars("web").first { $0.executable == "sleep" })
                leader.kill()
                try sandbox.eventually("the leader is gone") { !sandbox.sidecars("web").contains(leader) }
                try sandbox.succeed("validate", "--strict", sandbox.manifest)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `who loses its port between its start and its bind has not just crashed`() throws {
            try Sandbox.run { sandbox in
                let port = Self.port(2)
                let gate = Gate("go", in: sandbox)
                try sandbox.declare(
                    """
                      web:
                        shell: "touch begun; : <go; exec python3 -m http.server --bind \(Self.address) ${ports.http}"
                        ports: { http: { port: \(port), bind: \(Self.address) } }
                        health: { tcp: "${ports.http}" }
                        restart: { delay: 1h }
                    """)
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.eventually("it begins") { File.exists("\(sandbox.directory)/begun") }
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                gate.open()
                let reason =
                    "port_conflict: port 'http': port \(port) on \(Self.address) is in use by pid \(stranger.pid) (python3"
                try sandbox.eventually("the end is told with its reason") {
                    try sandbox.succeed("status", "--json").contains(reason)
                }
                #expect(try sandbox.succeed("why", "web").contains("port_conflict"))
                try sandbox.succeed("down")
            }
        }

        /// Of this process alone, as pids have 22 bits.
        private static let address = "127.\(64 | getpid() >> 16).\(getpid() >> 8 & 255).\(getpid() & 255)"

        /// Each test has a number of its own, which nobody is given by chance.
        private static func port(_ number: Int) -> Int { 15_000 + number }

        private static func stranger(on port: Int, in sandbox: Sandbox) throws -> Program {
            let stranger = try Program(
                ["python3", "-u", "-m", "http.server", "\(port)", "--bind", address],
                directory: sandbox.directory, environment: ["PATH": Sandbox.path])
            try stranger.prints("Serving")
            return stranger
        }
    }
}
