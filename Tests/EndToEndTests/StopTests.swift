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

        @Test func `down, status and why say who waits for whom`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.stubborn)
                try sandbox.succeed("up", "-d")
                let down = try sandbox.start("down")
                try down.prints("still stopping: a: the project goes down; waits for b to stop\n")
                try down.prints("still stopping: b: the project goes down; SIGTERM was sent, SIGKILL in 5")
                let status = try sandbox.succeed("status")
                #expect(status.contains("a: the project goes down; waits for b to stop"), "\(status)")
                #expect(status.contains("b: the project goes down; SIGTERM was sent, SIGKILL in 5"), "\(status)")
                let json = try sandbox.succeed("status", "--json").filter { $0 != " " && $0 != "\n" }
                #expect(json.contains("\"waiting_for\":[\"b\"]"), "\(json)")
                #expect(json.contains("\"step\":\"queued\""), "\(json)")
                #expect(json.contains("\"next\":\"SIGKILL\""), "\(json)")
                let why = try sandbox.succeed("why", "a").split(separator: "\n").first ?? ""
                #expect(why.hasPrefix("a is stopping since ") && why.hasSuffix(": waits for b to stop"), "\(why)")
                for press in ["stopping in order", "no more grace"] {
                    down.signal(SIGINT)
                    try down.prints(press)
                }
                let ended = try down.end()
                #expect(ended.status == 0, "\(ended.everything)")
                #expect(ended.output.hasSuffix("a stopped: the project goes down\nnothing is left running\n"))
            }
        }

        @Test func `stop says what it did, however busy others are`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      z: { command: [sleep, "1000"] }
                      ext: { kind: external, health: { tcp: { port: 1 }, period: 200ms } }
                    """)
                try sandbox.succeed("up", "-d", "z")
                try sandbox.succeed("start", "ext", "--no-wait")
                for _ in 0..<10 {
                    #expect(try sandbox.succeed("stop", "z") == "z stopped: asked to stop\n")
                    try sandbox.succeed("start", "z")
                }
                try sandbox.succeed("stop", "z")
                #expect(try sandbox.succeed("stop", "z") == "z stopped: asked to stop\n")
                try sandbox.succeed("down")
            }
        }

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

        @Test func `only a down that is under way is hurried`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                let client = try StreamClient(try #require(sandbox.stateDirectory) + "/control.sock")
                client.send(#"{"jsonrpc":"2.0","id":1,"method":"hurry","params":{"pace":"kill_now"}}"#)
                try client.receives("the project is not going down")
                // It would have been killed.
                try sandbox.succeed("stop", "one")
                #expect(try sandbox.succeed("status", "--json").contains(#""signal" : "SIGTERM""#))
                try sandbox.succeed("down")
            }
        }

        @Test func `a replica that a quorum can do without is stopped`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], replicas: 2 }
                      web: { command: [sleep, "1000"], depends_on: { db: { quorum: 1 } } }
                    """)
                try sandbox.succeed("up", "-d")
                let web = sandbox.sidecars("web")
                #expect(try sandbox.succeed("stop", "db/1") == "db/1 stopped: asked to stop\n")
                let refused = try sandbox.orchestrate("stop", "db/0")
                #expect(refused.status == 7)
                #expect(refused.everything.contains("web runs and needs it"), "\(refused.everything)")
                #expect(sandbox.sidecars("web") == web)
                try sandbox.succeed("down")
            }
        }
    }
}
