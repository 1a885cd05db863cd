import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `orchestrate upgrade` to programs in another place, and back.
    @Suite
    struct UpgradeTests {
        private static let sidecars = """
              counter: { command: \(Counter.paced) }
              quiet: { command: [sleep, "1000"], replicas: 2 }
              server:
                command: [python3, "${project.dir}/server.py", "${ports.echo}"]
                ports: { echo: auto }
            """

        private static let server = """
            import socket, sys
            listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
            while True:
                peer, _ = listener.accept()
                while data := peer.recv(64): peer.sendall(data)

            """

        /// One connection, all the time: any error, or the end of it, ends this with a code that is not 0.
        private static let client = """
            import os, socket, sys
            peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            count = 0
            while not os.path.exists(sys.argv[2]):
                peer.sendall(b"ping")
                if peer.recv(64) != b"ping": sys.exit(1)
                count += 1
            sys.exit(0 if count > 100 else 2)

            """

        private func copyPrograms(_ sandbox: Sandbox) throws -> String {
            let directory = "\(sandbox.directory)/other"
            mkdir(directory, 0o755)
            for name in ["orchestrate", "orchestrate-keeper"] {
                let copied = try sandbox.start(program: ["cp", "\(sandbox.programs)/\(name)", directory]).end()
                try #require(copied.status == 0)
            }
            return directory
        }

        @Test(arguments: ["keep", "stop"])
        func `sidecars, connections and logs don't notice an upgrade`(_ wish: String) throws {
            try Sandbox.run { sandbox in
                try File.write(Self.server, to: "\(sandbox.directory)/server.py")
                try File.write(Self.client, to: "\(sandbox.directory)/client.py")
                try sandbox.declare(Self.sidecars, top: "supervisor: { on_exit: \(wish) }")
                let other = try copyPrograms(sandbox)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("4 run") { sandbox.sidecars().count == 4 }
                try sandbox.eventually("the server listens") {
                    try sandbox.start(
                        program: ["python3", "client.py", try port(sandbox), "server.py"]
                    ).end().status == 2
                }
                let before = sandbox.sidecars()
                let keeper = try #require(sandbox.keeper)
                let stop = "\(sandbox.directory)/stop"
                let load = try sandbox.start(program: ["python3", "client.py", try port(sandbox), stop])
                for round in 0..<rounds * 2 {
                    let programs = round % 2 == 0 ? other : sandbox.programs
                    let upgraded = try sandbox.start(
                        program: ["\(programs)/orchestrate", "upgrade", "-f", sandbox.manifest]
                    ).end()
                    try #require(upgraded.status == 0, "\(upgraded.everything)")
                    #expect(sandbox.sidecars().filter { before.contains($0) } == before)
                    #expect(sandbox.keeper == keeper)
                    #expect(sandbox.keeper?.file == "\(programs)/orchestrate-keeper")
                    #expect(sandbox.supervisor?.file == "\(programs)/orchestrate")
                    if wish == "stop" {
                        try sandbox.eventually("the guard is the new one") {
                            sandbox.guardian?.file == "\(programs)/orchestrate-keeper"
                        }
                    }
                }
                try File.write("", to: stop)
                let ended = try load.end()
                #expect(ended.status == 0, "\(ended.everything)")
                expectNoneLost(try sandbox.succeed("logs", "counter", "-n", "1000000"))
                #expect(try sandbox.succeed("status").contains("4 of 4"))
                try sandbox.succeed("down")
            }
        }

        @Test func `a keeper of something else is refused, and nothing changes`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  quiet: { command: [sleep, \"1000\"] }")
                let other = try copyPrograms(sandbox)
                try File.write("#!/bin/sh\necho no keeper\n", to: "\(other)/orchestrate-keeper", mode: 0o755)
                try sandbox.succeed("up", "-d")
                let supervisor = sandbox.supervisor
                let refused = try sandbox.start(
                    program: ["\(other)/orchestrate", "upgrade", "-f", sandbox.manifest]
                ).end()
                #expect(refused.status == 1)
                #expect(refused.errors.contains("is not the keeper of this program; install both together"))
                #expect(sandbox.supervisor == supervisor)
                try sandbox.succeed("down")
            }
        }

        @Test func `with nothing running there is nothing to upgrade`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  quiet: { command: [sleep, \"1000\"] }")
                let ended = try sandbox.orchestrate("upgrade")
                #expect(ended.status == 5)
                #expect(ended.errors.contains("the next 'orchestrate up' uses this program"))
            }
        }

        private func port(_ sandbox: Sandbox) throws -> String {
            String(
                try sandbox.succeed("port", "server", "echo").filter { !$0.isWhitespace }.split(separator: ":").last
                    ?? "")
        }
    }
}
