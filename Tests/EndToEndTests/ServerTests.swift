import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Real servers from Debian, with checks and dependencies, up and down again and again.
    @Suite
    struct ServerTests {
        @Test func `Debian's servers come up healthy and leave nothing`() throws {
            // PostgreSQL refuses to run as root, so root runs them as `nobody`.
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                try File.write(File.text("\(Sandbox.package)/examples/servers/sidecars.yaml"), to: sandbox.manifest)
                // What they keep is in a directory whose name a shell would take apart.
                let environment = ["PATH": Self.path, "XDG_STATE_HOME": "\(sandbox.directory)/a state"]
                for round in 0..<min(10, rounds) {
                    let up = try sandbox.start(["up", "-d", "--timeout", "60s"], environment: environment)
                        .end(within: 90)
                    try #require(up.status == 0, "round \(round): \(up.everything)")
                    let running = sandbox.family
                    let programs = Set(running.map(\.executable))
                    for name in ["redis", "postgres", "nginx", "python3"] {
                        #expect(programs.contains { $0.hasPrefix(name) }, "round \(round)")
                    }
                    let down = try sandbox.start(["down"], environment: environment).end()
                    #expect(down.status == 0, "round \(round): \(down.everything)")
                    #expect(running.intersection(ProcessTable.all()).isEmpty, "round \(round)")
                }
            }
        }

        /// Debian keeps the server programs of PostgreSQL, and nginx, out of an ordinary user's PATH.
        private static var path: String {
            let versions = Directory.entries("/usr/lib/postgresql").map { "/usr/lib/postgresql/\($0)/bin" }
            return (versions + ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"]).joined(separator: ":")
        }
    }
}
