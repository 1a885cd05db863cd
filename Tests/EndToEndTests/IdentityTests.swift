import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Which project a manifest means, and what is told of one that is over.
    @Suite
    struct IdentityTests {
        @Test(arguments: ["1000", "${SECONDS_FROM_DOTENV}"])
        func `a manifest with another id is refused beside what it was, and down ends that`(_ seconds: String) throws {
            try Sandbox.run { sandbox in
                try File.write("SECONDS_FROM_DOTENV=1000\n", to: "\(sandbox.directory)/.env")
                let sidecars = "  web: { command: [sleep, \"\(seconds)\"] }"
                try sandbox.declare(sidecars)
                try sandbox.succeed("up", "-d")
                let running = sandbox.sidecars()
                try sandbox.declare(sidecars, top: "id: com.example.new")
                let refused = try sandbox.orchestrate("up", "-d")
                #expect(refused.status == 7, "\(refused.everything)")
                #expect(refused.errors.contains("runs already, without an id: its id has changed since"))
                #expect(sandbox.sidecars() == running)
                // A name of its own says that both are meant.
                try sandbox.succeed("up", "-d", "--project", "another")
                try sandbox.succeed("down", "--project", "another")
                #expect(sandbox.sidecars() == running)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
                try sandbox.succeed("up", "-d")
                try sandbox.declare(sidecars, top: "id: com.example.newer")
                let again = try sandbox.orchestrate("up", "-d")
                #expect(again.status == 7)
                #expect(again.errors.contains("orchestrate down --project com.example.new\n"))
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["a: [", nil])
        func `a broken or deleted manifest means what runs, whatever it was before`(text: String?) throws {
            try Sandbox.run { sandbox in
                let sidecars = "  web: { command: [sleep, \"1000\"] }"
                try sandbox.declare(sidecars)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                try sandbox.declare(sidecars, top: "id: com.example.app")
                try sandbox.succeed("up", "-d")
                let manifest = "\(sandbox.directory)/sidecars.yaml"
                if let text { try File.write(text, to: manifest) } else { unlink(manifest) }
                #expect(try sandbox.succeed("status", "-f", manifest).contains("healthy"))
                try sandbox.succeed("down", "-f", manifest)
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `how a project ended is told when it is down`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      main: { shell: ": <gate; exit 9", primary: true, restart: never }
                      web: { command: [sleep, "1000"] }
                    """)
                let gate = Gate("gate", in: sandbox)
                try sandbox.succeed("up", "-d")
                gate.open()
                try sandbox.eventually("it is down") { try sandbox.orchestrate("status").status == 5 }
                let status = try sandbox.orchestrate("status")
                #expect(status.output.contains("not running; last known states"))
                let line = status.output.split(separator: "\n").first { $0.hasPrefix("main ") }
                #expect(line?.contains("failed") == true && line?.contains("exit 9") == true, "\(status.everything)")
                #expect(status.errors.contains("is not running; start it with"))
                // The next life begins with what is declared then.
                try sandbox.declare("  other: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                let after = try sandbox.orchestrate("status").output
                #expect(after.contains("other") && !after.contains("main "))
            }
        }

        @Test func `what was lost with its supervision is not called healthy`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  web: { command: [sleep, \"1000\"] }", top: "supervisor: { on_exit: stop }")
                try sandbox.succeed("up", "-d")
                try sandbox.killSupervision()
                try sandbox.eventually("all is gone") { sandbox.sidecars().isEmpty }
                try sandbox.eventually("its guard too") { try sandbox.orchestrate("status").status == 5 }
                let status = try sandbox.orchestrate("status", "--json")
                #expect(status.output.contains("\"state\" : \"stopped\""), "\(status.everything)")
                #expect(status.output.contains("its supervision was lost while it was healthy"))
                let why = try sandbox.succeed("why", "web")
                #expect(why.hasPrefix("web is stopped: its supervision was lost while it was healthy"), "\(why)")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
            }
        }

        @Test func `up exits with its primary's code when the supervisor is killed at the primary's end`() throws {
            try Sandbox.run { sandbox in
                for _ in 0..<3 {
                    let gate = Gate("gate", in: sandbox)
                    try sandbox.declare("  main: { shell: \": <gate; exit 9\", primary: true, restart: never }")
                    let up = try sandbox.start("up")
                    try up.prints("ready after")
                    let supervisor = try #require(sandbox.supervisor)
                    gate.open()
                    supervisor.kill()
                    let ended = try up.end()
                    #expect(ended.status == 9, "\(ended.everything)")
                    unlink("\(sandbox.directory)/gate")
                }
            }
        }
    }
}
