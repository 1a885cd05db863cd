import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Up, down and what lies between, as a person at a shell sees it.
    @Suite
    struct ProjectLifeTests {
        private static let pair = """
              db: { command: [sleep, "1000"] }
              web: { command: [sleep, "1000"], depends_on: { db: started } }
            """

        @Test func `up starts what the manifest names and down leaves nothing`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("1 run") { sandbox.sidecars("db").count == 1 }
                try sandbox.eventually("1 run") { sandbox.sidecars("web").count == 1 }
                let group = sandbox.controlGroup
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
                if let group { #expect(!File.exists(group)) }
            }
        }

        @Test func `a second up with nothing changed touches nothing`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("2 run") { sandbox.sidecars().count == 2 }
                let before = sandbox.processes
                try sandbox.succeed("up", "-d")
                #expect(Set(sandbox.processes) == Set(before))
                try sandbox.succeed("down")
            }
        }

        @Test func `up applies a change to what changed and to nothing else`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("2 run") { sandbox.sidecars().count == 2 }
                let db = sandbox.sidecars("db")
                let web = sandbox.sidecars("web")
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"] }
                      web: { command: [sleep, "1001"], depends_on: { db: started } }
                      cache: { command: [sleep, "1000"] }
                    """)
                try sandbox.succeed("up", "-d")
                #expect(sandbox.sidecars("db") == db)
                #expect(sandbox.sidecars("web") != web)
                try sandbox.eventually("the new web runs") {
                    sandbox.sidecars("web").map(\.arguments) == [["sleep", "1001"]]
                }
                try sandbox.eventually("1 run") { sandbox.sidecars("cache").count == 1 }
                try sandbox.succeed("down")
            }
        }

        @Test func `fewer replicas or sidecars are what an up waits for, and nobody who leaves`() throws {
            try Sandbox.run { sandbox in
                func declare(_ replicas: Int, more: String = "") throws {
                    try sandbox.declare("  web: { command: [sleep, \"1000\"], replicas: \(replicas) }\n\(more)")
                }
                try declare(3, more: "  db: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                let events = try sandbox.start("events", "-f")
                try events.prints("following")
                try declare(1)
                #expect(try sandbox.succeed("up", "-d").contains("all 1 ready"))
                try declare(0)
                #expect(try sandbox.succeed("up", "-d").contains("all 0 ready"))
                try sandbox.succeed("down")
                let told = try events.end().output.split(separator: "\n").filter { $0.contains(#""to":"stopped""#) }
                for name in ["web/1", "web/2", "db", "web"] {
                    #expect(told.contains { $0.contains("\"instance\":\"\(name)\"") }, "\(told)")
                }
                #expect(told.count == 4, "\(told)")
            }
        }

        @Test(arguments: ["broken", "deleted"])
        func `down works after the manifest was lost`(how: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                if how == "broken" {
                    try File.write("sidecars: [", to: sandbox.manifest)
                } else {
                    unlink(sandbox.manifest)
                }
                try sandbox.succeed("down", "-f", sandbox.manifest)
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `an id names the same project through another path`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair, top: "id: com.example.e2e-\(getpid())")
                try sandbox.succeed("up", "-d")
                let supervision = [sandbox.keeper, sandbox.supervisor]
                let other = "\(sandbox.directory)/current"
                symlink(sandbox.directory, other)
                try sandbox.succeed("up", "-d", "-f", "\(other)/sidecars.yaml")
                #expect([sandbox.keeper, sandbox.supervisor] == supervision)
                try sandbox.eventually("2 run") { sandbox.sidecars().count == 2 }
                try sandbox.succeed("down", "-f", "\(other)/sidecars.yaml")
                #expect(sandbox.sidecars().isEmpty)
                unlink(other)
            }
        }

        @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
        func `the end of a foreground up is the end of the project`(signal: Int32) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let client = try sandbox.start("up")
                try sandbox.eventually("both run") { sandbox.sidecars().count == 2 }
                client.signal(signal)
                _ = try client.end()
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `a down from elsewhere ends an up, which says so`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let attached = try sandbox.start("up")
                try attached.prints("ready after")
                try sandbox.succeed("down")
                let ended = try attached.end()
                #expect(ended.status == 0, "\(ended.everything)")
                #expect(ended.output.hasSuffix("db stopped: the project goes down\nthe project is down\n"))
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], start: { settle: 5s } }
                      main: { primary: true, shell: "exit 0", restart: never, depends_on: { db: started } }
                    """)
                let primary = try sandbox.orchestrate("up")
                #expect(primary.status == 0, "\(primary.everything)")
                try sandbox.declare("  db: { command: [sleep, \"1000\"], health: { exec: [\"false\"] } }")
                let starting = try sandbox.start("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("db").count == 1 }
                try sandbox.succeed("down")
                let overtaken = try starting.end()
                #expect(overtaken.status == 7, "\(overtaken.everything)")
                #expect(overtaken.output.hasSuffix("the project is down\n"), "\(overtaken.everything)")
            }
        }

        @Test func `detaching a project keeps it when its first client goes`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let client = try sandbox.start("up")
                try sandbox.eventually("both run") { sandbox.sidecars().count == 2 }
                let before = sandbox.sidecars()
                try sandbox.succeed("up", "-d")
                client.signal(SIGINT)
                _ = try client.end()
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down")
            }
        }

        @Test func `exit codes say what kind of failure it was`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                #expect(try sandbox.orchestrate("status").status == 5)
                #expect(try sandbox.orchestrate("down").status == 0)
                #expect(try sandbox.orchestrate("no-such-command").status == 64)
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.orchestrate("logs", "nobody").status == 4)
                #expect(try sandbox.orchestrate("stop", "db").status == 7)
                try sandbox.succeed("down")

                try sandbox.declare("  slow: { command: [sleep, \"1000\"], health: { log: \"^never$\" } }")
                #expect(try sandbox.orchestrate("up", "-d", "--timeout", "300ms").status == 6)
                try sandbox.succeed("down")

                try sandbox.declare("  bad: { command: [\"false\"], kind: task }")
                #expect(try sandbox.orchestrate("up", "-d").status == 1)
                try sandbox.succeed("down")
            }
        }

        @Test func `what is being removed can be waited for and seen until it has stopped`() throws {
            try Sandbox.run { sandbox in
                // It ends when it is told to by a file, and not before.
                let web = """
                      web:
                        shell: "trap 'until [ -e end ]; do sleep 0.01; done; exit' TERM; echo up; while :; do sleep 0.01; done"
                        health: { log: up }
                        stop: { grace: 60s }

                    """
                let db = "  db: { command: [sleep, \"1000\"] }"
                try sandbox.declare(web + db)
                try sandbox.succeed("up", "-d")
                try sandbox.declare(db)
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.eventually("it is stopping") { try sandbox.succeed("status", "web").contains("stopping") }
                #expect(try sandbox.orchestrate("wait", "web", "--for", "stopped", "--timeout", "100ms").status == 6)
                // There is nothing of it to be used any more.
                #expect(try sandbox.orchestrate("env", "web").status == 4)
                try File.write("", to: sandbox.directory + "/end")
                try sandbox.eventually("it is gone") { try sandbox.orchestrate("status", "web").status == 4 }
                try sandbox.succeed("down")
            }
        }

        @Test func `a sidecar without instances is stopped, and never healthy`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  mcp: { command: [sleep, \"1000\"], replicas: 0 }")
                try sandbox.succeed("up", "-d")
                let wait = try sandbox.orchestrate("wait", "mcp", "--for", "healthy")
                #expect(wait.status == 4)
                #expect(wait.errors.contains("'mcp' has no instances"), "\(wait.everything)")
                try sandbox.succeed("wait", "mcp", "--for", "stopped")
                try sandbox.succeed("down")
            }
        }

        @Test func `a project goes up and down in a directory with spaces`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { shell: \"exec sleep 1000\", cwd: \"a place\" }")
                mkdir("\(sandbox.directory)/a place", 0o755)
                let elsewhere = "\(sandbox.directory)/a place/sidecars.yaml"
                try File.write(File.text(sandbox.manifest).replacing("a place", with: "."), to: elsewhere)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("up", "-d", "-f", elsewhere)
                try sandbox.eventually("2 run") { sandbox.sidecars("one").count == 2 }
                try sandbox.succeed("down", "-f", elsewhere)
                try sandbox.eventually("1 run") { sandbox.sidecars("one").count == 1 }
                try sandbox.succeed("down")
            }
        }
    }
}
