import ChaosKit
import Testing

extension EndToEnd {
    /// What `ls` and `status` count.
    @Suite
    struct ListTests {
        private static let pair = """
              db: { command: [sleep, "1000"], ports: { sql: auto } }
              web: { command: [sleep, "1000"], depends_on: { db: started } }
            """

        @Test func `ls lists the projects from anywhere`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair, top: "name: shop")
                try sandbox.succeed("up", "-d")
                let elsewhere = try sandbox.start(program: ["env", "-C", "/", "\(sandbox.programs)/orchestrate", "ls"])
                let listed = try elsewhere.end().output
                #expect(listed.contains("shop"))
                #expect(listed.contains("2/2"))
                #expect(listed.contains(sandbox.manifest))
                try sandbox.succeed("down")
                #expect(try sandbox.succeed("ls") == "no projects are running\n")
                #expect(try sandbox.succeed("ls", "--all").contains("stopped"))
                #expect(try sandbox.succeed("ls", "--all", "--json").contains("\"project\" : \"shop\""))
            }
        }

        @Test func `ls tells projects of one name apart by their ids`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair, top: "name: shop")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("up", "-d", "--project", "second")
                defer { _ = try? sandbox.orchestrate("down", "--project", "second") }
                let rows = try sandbox.succeed("ls").split(separator: "\n").map { $0.split(separator: "  ")[0] }
                #expect(Set(rows) == ["PROJECT", "shop", "shop (second)"])
                try sandbox.succeed("down", "--project", "second")
                try sandbox.succeed("down")
            }
        }

        @Test func `a task that runs counts when it is done, for all who count`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], start: { settle: 0s } }
                      seed: { kind: task, shell: "until [ -e '\(sandbox.directory)/done' ]; do sleep 0.05; done", start: { settle: 0s } }
                    """)
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.eventually("it runs") { sandbox.sidecars("seed").count == 1 }
                try sandbox.succeed("wait", "db")
                #expect(try sandbox.orchestrate("status", "--exit-code").status == 1)
                #expect(try sandbox.succeed("status").contains("1 of 2 healthy or completed"))
                #expect(try sandbox.succeed("ls").contains("1/2"))
                let late = try sandbox.orchestrate("wait", "seed", "--for", "healthy", "--timeout", "50ms")
                #expect(late.status == 6)
                #expect(late.errors.contains("it runs, and counts when it is done"), "\(late.everything)")
                try File.write("", to: "\(sandbox.directory)/done")
                try sandbox.succeed("wait", "seed")
                #expect(try sandbox.succeed("status", "--exit-code").contains("2 of 2"))
                try sandbox.succeed("down")
                #expect(try sandbox.orchestrate("status", "seed", "--json").output.contains("\"kind\" : \"task\""))
            }
        }
    }
}
