import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What commands refuse before they do anything, and what they say of it.
    @Suite
    struct RefusalTests {
        @Test func `a name that several projects have is refused, and every way to say which is given`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }", top: "name: twin")
                let second = "\(sandbox.directory)/second.yaml"
                let text = File.text(sandbox.manifest, first: 4096)
                try File.write(text.replacing("name: twin", with: "name: twin\nid: the-other"), to: second)
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.succeed("status", "--project", "twin").contains("one"))
                try sandbox.succeed("up", "-d", "-f", second)
                let before = sandbox.sidecars()
                for command in ["down", "status", "up"] {
                    let refused = try sandbox.orchestrate(command, "--project", "twin")
                    #expect(refused.status == 7, "\(refused.everything)")
                    #expect(refused.everything.contains("there are 2 projects called 'twin'"))
                    #expect(refused.everything.contains("--file \(sandbox.manifest)\n"))
                    #expect(refused.everything.contains("--project the-other   (\(second))\n"))
                }
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down", "--project", "the-other")
                // That it is down makes it no less one of two.
                #expect(try sandbox.orchestrate("down", "--project", "twin").status == 7)
                try sandbox.succeed("down", "--project", sandbox.manifest)
            }
        }

        @Test func `up --exit-code-from a sidecar that is not declared starts nothing`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { shell: \"touch started; exec sleep 1000\" }")
                let refused = try sandbox.orchestrate("up", "--exit-code-from", "wbe")
                #expect(refused.status == 4, "\(refused.everything)")
                #expect(refused.everything.contains("declares no sidecar 'wbe'; it declares: web"))
                #expect(!File.exists("\(sandbox.directory)/started"))
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `up --exit-code-from a sidecar that it does not start starts nothing`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web: { shell: "touch started; exec sleep 1000" }
                      checks: { kind: task, command: ["true"] }
                      needs: { kind: task, command: ["true"], depends_on: [checks] }
                    """)
                let refused = try sandbox.orchestrate("up", "web", "--exit-code-from", "checks")
                #expect(refused.status == 7, "\(refused.everything)")
                #expect(refused.everything.contains("none of what is started, nor needed by it: name it too"))
                #expect(!File.exists("\(sandbox.directory)/started"))
                let taken = try sandbox.orchestrate("up", "needs", "--exit-code-from", "checks")
                #expect(taken.status == 0, "\(taken.everything)")
            }
        }

        @Test func `a name that nobody has is refused also where nothing runs`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("wait", "web", "--for", "stopped")
                #expect(try sandbox.orchestrate("wait", "wbe", "--for", "stopped").status == 4)
                #expect(try sandbox.orchestrate("wait", "web", "--for", "stopped", "--project", "none").status == 5)
                #expect(try sandbox.orchestrate("logs", "-f", "--project", "none").status == 5)
                #expect(try sandbox.orchestrate("logs", "-f", "--file", "none.yaml").status == 5)
            }
        }

        @Test func `logs of one that has said nothing yet are empty, with a broken manifest too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try File.write("sidecars: [", to: sandbox.manifest)
                #expect(try sandbox.succeed("logs", "web") == "")
                #expect(try sandbox.orchestrate("logs", "wbe").everything.contains("there are web\n"))
                try sandbox.succeed("down")
            }
        }

        @Test func `nothing is written into the control socket where the standard descriptors are closed`() throws {
            try Sandbox.run { sandbox in
                // Of a shell without exec there is a warning to be said.
                try sandbox.declare("  web: { shell: \"echo up; sleep 1000\", start: { settle: 1s } }")
                let up = try sandbox.shell("orchestrate up -d -f \(sandbox.manifest) <&- >&- 2>&-").end()
                #expect(up.status == 0, "\(up.everything)")
                #expect(!sandbox.sidecars("web").isEmpty)
                let down = try sandbox.shell("orchestrate down -f \(sandbox.manifest) <&- >&- 2>&-").end()
                #expect(down.status == 0, "\(down.everything)")
            }
        }

        @Test(arguments: [("{ shell: exit 3 }", "exit 3"), ("{ exec: [/no/such/hook] }", "/no/such/hook")])
        func `a hook that failed is told in the log that people read`(hook: String, reason: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"], hooks: { post_start: \(hook) } }")
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it is told") {
                    let said = try sandbox.succeed("logs", "web")
                    return said.contains("hook post_start failed: ") && said.contains(reason)
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `of a project without sidecars nobody is told which there are`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                // Leaves state, and nothing in it.
                #expect(try sandbox.orchestrate("up", "-d", "nobody").status == 4)
                let why = try sandbox.orchestrate("why", "web")
                #expect(why.status == 5, "\(why.everything)")
                #expect(why.everything.contains("has not been up"))
                unlink(sandbox.manifest)
                let logs = try sandbox.orchestrate("logs", "-n", "1", "web")
                #expect(logs.status != 0 && !logs.everything.contains("there are \n"), "\(logs.everything)")
            }
        }

        @Test func `init writes no manifest that would win over the one that is there`() throws {
            try Sandbox.run { sandbox in
                try File.write("version: 1\n", to: "\(sandbox.directory)/sidecars.yml")
                let refused = try sandbox.orchestrate("init")
                #expect(refused.status == 7, "\(refused.everything)")
                #expect(refused.everything.contains("sidecars.yml is there already"))
                #expect(!File.exists(sandbox.manifest))
            }
        }

        @Test func `output that could not be written is a failure`() throws {
            try Sandbox.run { sandbox in
                let full = try sandbox.shell("orchestrate ls > /dev/full").end()
                #expect(full.status == 1, "\(full.everything)")
                #expect(full.everything.contains("cannot write the output: no space left on device"))
                for help in ["--help", "help up", "up --help", "--version"] {
                    let full = try sandbox.shell("orchestrate \(help) > /dev/full").end()
                    #expect(full.status == 1, "\(help): \(full.everything)")
                    #expect(full.errors.contains("cannot write the output: no space left on device"))
                }
            }
        }

        @Test func `a directory that is gone is not taken for the root`() throws {
            try Sandbox.run { sandbox in
                for command in ["status", "up -d", "validate", "plan"] {
                    let refused = try sandbox.shell("mkdir gone && cd gone && rmdir ../gone && orchestrate \(command)")
                        .end()
                    #expect(refused.status == 3, "\(command): \(refused.everything)")
                    #expect(refused.everything.contains("the working directory is gone"), "\(refused.everything)")
                    #expect(!refused.everything.contains("in / or above"), "\(refused.everything)")
                }
            }
        }

        @Test func `help for a command that is not there is a wrong use`() throws {
            try Sandbox.run { sandbox in
                let refused = try sandbox.orchestrate("dance", "--help")
                #expect(refused.status == 64, "\(refused.everything)")
                #expect(refused.everything.contains("Unexpected argument 'dance'"))
                #expect(try sandbox.orchestrate("help", "dance").status == 64)
                #expect(try sandbox.orchestrate("help", "up").status == 0)
                #expect(try sandbox.orchestrate("up", "--help").status == 0)
            }
        }

        @Test func `why calls only the first start of a task that`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  mig: { kind: task, command: [\"true\"], start: { settle: 5s } }")
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.succeed("why", "mig").contains("first start"))
                try sandbox.succeed("run", "mig")
                #expect(try sandbox.succeed("why", "mig").contains("starting  new start"))
                try sandbox.succeed("down")
            }
        }

        @Test func `a name of no sidecar, and of no instance, is refused by all alike`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  mcp: { command: [sleep, \"1000\"], replicas: 2 }")
                #expect(try sandbox.orchestrate("up", "--dry-run", "nope").status == 4)
                #expect(try sandbox.orchestrate("up", "--dry-run", "mcp/1").status == 0)
                try sandbox.succeed("up", "-d")
                for command in [["up", "-d", "mcp/7"], ["why", "mcp/7"], ["why", "mcp/x"]] {
                    let refused = try sandbox.start(command).end()
                    #expect(refused.status == 4, "\(command): \(refused.everything)")
                }
                #expect(try sandbox.succeed("why", "mcp/1").contains("mcp/1"))
                try sandbox.succeed("down")
            }
        }

        @Test func `the socket of a sidecar is said in JSON too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  tool: { command: [cat], stdio: per_client }")
                try sandbox.succeed("up", "-d")
                let json = try sandbox.succeed("port", "tool", "--json").replacing("\\/", with: "/")
                #expect(json.contains("\"socket\" : \"\(try sandbox.socket(of: "tool"))\""), "\(json)")
                #expect(json.contains("\"instance\" : \"tool"))
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["validate", "plan"]) func `two manifests are one too many`(command: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                let refused = try sandbox.orchestrate(command, "-f", sandbox.manifest, "/no/other.yaml")
                #expect(refused.status == 64, "\(refused.everything)")
                #expect(refused.everything.contains("Give one manifest"))
            }
        }

        @Test func `before the first up there are no logs, as there are no events`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { shel: \"echo here; exec sleep 1000\" }")
                // Nor after one whose manifest was refused.
                for _ in 1...2 {
                    for command in [["logs"], ["events"], ["why", "web"], ["status"]] {
                        let refused = try sandbox.start(command).end()
                        #expect(refused.status == 5, "\(command): \(refused.everything)")
                        #expect(refused.everything.contains("has not been up"))
                    }
                    #expect(try !sandbox.succeed("ls", "-a").contains(sandbox.manifest))
                    #expect(try !sandbox.orchestrate("doctor").output.contains(sandbox.manifest))
                    #expect(try sandbox.orchestrate("up", "-d").status == 3)
                }
                try sandbox.declare("  web: { shell: \"echo here; exec sleep 1000\" }")
                #expect(try sandbox.orchestrate("logs", "web").status == 5)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                #expect(try sandbox.succeed("logs").contains("here"))
            }
        }
    }
}
