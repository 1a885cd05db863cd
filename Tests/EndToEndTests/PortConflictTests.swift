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
                        command: [python3, -m, http.server, --bind, 127.0.0.1, "${ports.http}"]
                        ports: { http: \(port) }
                        restart: never
                    """)
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                let sentence = "port \(port) on 127.0.0.1 is in use by pid \(stranger.pid) (python3"
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

        @Test func `who loses its port between its start and its bind has not just crashed`() throws {
            try Sandbox.run { sandbox in
                let port = Self.port(2)
                let gate = Gate("go", in: sandbox)
                try sandbox.declare(
                    """
                      web:
                        shell: "touch begun; : <go; exec python3 -m http.server --bind 127.0.0.1 ${ports.http}"
                        ports: { http: \(port) }
                        health: { tcp: "${ports.http}" }
                        restart: { delay: 1h }
                    """)
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.eventually("it begins") { File.exists("\(sandbox.directory)/begun") }
                let stranger = try Self.stranger(on: port, in: sandbox)
                defer { stranger.signal(SIGKILL) }
                gate.open()
                let reason =
                    "port_conflict: port 'http': port \(port) on 127.0.0.1 is in use by pid \(stranger.pid) (python3"
                try sandbox.eventually("the end is told with its reason") {
                    try sandbox.succeed("status", "--json").contains(reason)
                }
                #expect(try sandbox.succeed("why", "web").contains("port_conflict"))
                try sandbox.succeed("down")
            }
        }

        /// Each test has numbers of its own.
        private static func port(_ number: Int) -> Int { 20_000 + (Int(getpid()) * 10 + number) % 10_000 }

        private static func stranger(on port: Int, in sandbox: Sandbox) throws -> Program {
            let stranger = try Program(
                ["python3", "-u", "-m", "http.server", "\(port)", "--bind", "127.0.0.1"],
                directory: sandbox.directory, environment: ["PATH": Sandbox.path])
            try stranger.prints("Serving")
            return stranger
        }
    }
}
