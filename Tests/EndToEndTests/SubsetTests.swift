import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Commands that are about a part of a project.
    @Suite
    struct SubsetTests {
        private static let four = """
              a: { command: [sleep, "1000"] }
              m: { command: [sleep, "1000"], depends_on: { a: started } }
              z: { command: [sleep, "1000"] }
              ext: { kind: external, health: { exec: ["true"] } }
            """

        @Test func `the tree shows and counts what was asked for and what that needs`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.four)
                // Of a new project, and of one that runs.
                for (name, count) in [("m", 2), ("z", 1)] {
                    let up = try sandbox.start(["up", "-d", name], onTerminal: true).end()
                    #expect(up.status == 0, "\(up.everything)")
                    #expect(up.output.contains("up  \(count) of \(count) ready"), "\(up.output)")
                    #expect(up.output.contains("─ \(name) "), "\(up.output)")
                    #expect(!up.output.contains("─ ext"), "\(up.output)")
                    #expect(up.output.contains("─ a ") == (name == "m"), "\(up.output)")
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `an up after one of a part says how many it starts`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.four)
                #expect(try sandbox.succeed("up", "-d", "a").hasPrefix("1 new (a)\n"))
                #expect(try sandbox.succeed("up", "-d").hasPrefix("3 started (m; z; ext), 1 unchanged\n"))
                #expect(try sandbox.succeed("up", "-d").hasPrefix("4 unchanged\n"))
                try sandbox.succeed("stop", "z")
                #expect(try sandbox.succeed("up", "-d").hasPrefix("1 started (z), 3 unchanged\n"))
                try sandbox.succeed("down")
            }
        }

        @Test func `an up says that it starts what had completed, and only where the new policy asks for it`() throws {
            try Sandbox.run { sandbox in
                let rest = "shell: \"test -e done && exec sleep 1000; touch done\""
                try sandbox.declare("  a: { command: [sleep, \"1000\"] }\n  web: { \(rest), restart: never }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("wait", "web", "--for", "completed")
                try sandbox.declare("  a: { command: [sleep, \"1000\"] }\n  web: { \(rest), restart: on-failure }")
                #expect(
                    try sandbox.succeed("up", "-d").hasPrefix("1 updated in place (web: restart), 1 unchanged\n"))
                try sandbox.declare("  a: { command: [sleep, \"1000\"] }\n  web: { \(rest), restart: always }")
                let up = try sandbox.succeed("up", "-d")
                #expect(
                    up.hasPrefix("1 updated in place (web: restart), 1 started (web), 1 unchanged\n"), "\(up)")
                #expect(sandbox.sidecars("web").count == 1)
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: [
            "{ command: [sleep, \"1000\"] }", "{ command: [sleep, \"1000\"], primary: true }",
            "{ kind: external, health: { exec: [\"true\"] } }",
        ])
        func `run refuses what is no task before it starts anything`(sidecar: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  a: \(sidecar)\n  job: { kind: task, command: [\"true\"] }")
                let refused = try sandbox.orchestrate("run", "a")
                #expect(refused.status == 1)
                #expect(refused.errors.contains("'a' is no task: it runs until it is stopped. Use orchestrate up a"))
                #expect(sandbox.processes.isEmpty)
                try sandbox.succeed("run", "job")
                let again = try sandbox.orchestrate("run", "a")
                #expect(again.status == 1)
                #expect(again.errors.contains("'a' is no task: it runs until it is stopped. Use start or restart"))
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: [["exec", "none", "--", "true"], ["env", "none"], ["start", "none"], ["restart", "none"]])
        func `a sidecar without replicas has no instances, and is there`(command: [String]) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"] }
                      none: { command: [sleep, "1000"], replicas: 0 }
                    """)
                try sandbox.succeed("up", "-d")
                let ended = try sandbox.start(command).end()
                #expect(ended.status == 4)
                #expect(ended.errors == "orchestrate: 'none' has no instances\n", "\(ended.everything)")
                try sandbox.succeed("down")
            }
        }
    }
}
