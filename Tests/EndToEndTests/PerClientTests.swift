import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `stdio: per_client`: a process for each client, and none without one.
    @Suite
    struct PerClientTests {
        @Test func `each client has a process of its own, which ends with it`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo)
                try sandbox.succeed("up", "-d")
                #expect(sandbox.sidecars("echo").isEmpty)
                let first = try Attachment(lentTo: "echo", in: sandbox)
                let second = try Attachment(lentTo: "echo", in: sandbox)
                try first.program.prints("for you")
                try second.program.prints("for you")
                first.send("one")
                second.send("two")
                try first.program.prints("one")
                try second.program.prints("two")
                #expect(sandbox.sidecars("echo").count == 2)
                let status = try sandbox.succeed("status")
                #expect(status.contains("echo: 2 clients: pid "))
                #expect(status.contains("pid \(first.program.pid) by "))
                let json = try sandbox.succeed("status", "--json")
                #expect(json.contains("\"pid\" : \(second.program.pid)"))
                #expect(json.contains("\"process\" : "))
                // Nothing stands between: the process has the client's own.
                let ends = sandbox.sidecars("echo").map { ProcessTable.file("fd/0", of: $0.pid) }
                #expect(Set(ends) == [first.inputPath, second.inputPath])
                first.endInput()
                let ended = try first.program.end()
                #expect(ended.status == 0)
                #expect(ended.output.hasPrefix("I am "))
                #expect(ended.output.hasSuffix(" in \(sandbox.directory) for you\none\n"))
                #expect(ended.errors == "")
                try sandbox.eventually("only the other one is left") { sandbox.sidecars("echo").count == 1 }
                second.send("still here")
                try second.program.prints("still here")
                #expect(try sandbox.succeed("logs", "echo").contains("heard"))
                second.endInput()
                #expect(try second.program.end().status == 0)
                try sandbox.eventually("nobody is left") { sandbox.sidecars("echo").isEmpty }
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["best", "session"])
        func `a client that is killed takes its process along, and all that it left behind`(_ level: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.deaf)
                let up = try sandbox.start(["up", "-d"], environment: ["ORCHESTRATE_CONTAINMENT": level]).end()
                try #require(up.status == 0, "\(up.everything)")
                let attached = try Attachment(lentTo: "deaf", in: sandbox)
                try attached.program.prints("ready")
                let connected = try StreamClient(sandbox.socket(of: "deaf"))
                try connected.receives("ready")
                try sandbox.eventually("both run, with what they started") { sandbox.sidecars("deaf").count == 8 }
                attached.program.signal(SIGKILL)
                try sandbox.eventually("one is gone") { sandbox.sidecars("deaf").count == 4 }
                connected.hangUp()
                try sandbox.eventually("the other too") { sandbox.sidecars("deaf").isEmpty }
                attached.endInput()
                _ = try attached.program.end()
                try sandbox.succeed("down")
            }
        }

        @Test func `a client that is asked to end tells how its process did`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      polite: { shell: 'sleep 1000 & trap "kill $!; echo bye; exit 5" INT; echo up; wait',
                                stdio: per_client, stop: { signal: SIGINT } }
                    """)
                try sandbox.succeed("up", "-d")
                let client = try Attachment(lentTo: "polite", in: sandbox)
                try client.program.prints("up")
                client.program.signal(SIGTERM)
                let ended = try client.program.end()
                #expect(ended.output == "up\nbye\n")
                #expect(ended.status == 5)
                try sandbox.succeed("down")
            }
        }

        @Test func `any program may connect to the socket`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo)
                try sandbox.succeed("up", "-d")
                let path = try sandbox.socket(of: "echo")
                let client = try StreamClient(path)
                try client.receives("for you")
                client.send("hello")
                try client.receives("hello")
                #expect(sandbox.sidecars("echo").count == 1)
                // It has nothing more to say, and still hears the answer.
                client.send("last words")
                client.endInput()
                try client.receives("last words")
                #expect(client.ends())
                var facts = stat()
                #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
                try sandbox.succeed("down")
                #expect(throws: HarnessError.self) { try StreamClient(path) }
            }
        }

        @Test(.enabled(if: getuid() == 0, "becoming another user needs root"))
        func `it runs as its user, and what its client lends it stays the client's`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      who: { user: nobody, cwd: /, shell: 'id -un; echo said >/dev/stderr; exec cat', stdio: per_client,
                             secrets: { KEY: { from: key, as: file } } }
                    """, top: "secrets: { key: { generate: 20 } }")
                try sandbox.succeed("up", "-d")
                let clients = try (1...4).map { _ in try Attachment(lentTo: "who", in: sandbox) }
                for client in clients {
                    try client.program.prints("nobody\n")
                    client.send("heard")
                    try client.program.prints("heard")
                    var facts = stat()
                    #expect(stat(client.inputPath, &facts) == 0 && facts.st_uid == 0)
                    client.endInput()
                    #expect(try client.program.end().status == 0)
                }
                #expect(try sandbox.succeed("logs", "who").contains("said"))
                try sandbox.succeed("down")
            }
        }

        @Test func `clients are served once the dependencies are there, and leave before them`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      gate: { kind: task, shell: ': <open' }
                      db:
                        shell: 'sleep 1000 & trap "pgrep -f ^sleep.1005 > left; kill $!; exit 0" TERM; wait'
                        depends_on: [gate]
                      tools: { shell: 'echo up; exec sleep 1005', stdio: per_client, depends_on: [db] }
                      user: { command: [sleep, "1006"], depends_on: { tools: healthy } }
                    """)
                let gate = Gate("open", in: sandbox)
                let up = try sandbox.start("up", "-d")
                try sandbox.eventually("the gate is being waited for") { sandbox.sidecars("gate").count > 0 }
                let early = try sandbox.orchestrate("attach", "tools")
                #expect(early.status == 1)
                #expect(early.errors.contains("'tools' does not run (waiting)"))
                gate.open()
                #expect(try up.end().status == 0)
                let client = try Attachment(lentTo: "tools", in: sandbox)
                try client.program.prints("up")
                try sandbox.succeed("down")
                #expect(try client.program.end().status == 128 + SIGTERM)
                // When the database was told to go, no client's process was there.
                #expect(File.exists("\(sandbox.directory)/left"))
                #expect(File.text("\(sandbox.directory)/left") == "")
            }
        }

        @Test func `a restart and a change end the clients, and who comes next gets the new one`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(PerClientSidecars.echo)
                try sandbox.succeed("up", "-d")
                let first = try Attachment(lentTo: "echo", in: sandbox)
                try first.program.prints("for you")
                try sandbox.succeed("restart", "echo")
                #expect(try first.program.end().status == 128 + SIGTERM)
                let second = try Attachment(lentTo: "echo", in: sandbox)
                try second.program.prints("for you")
                try sandbox.declare(PerClientSidecars.echo.replacing("GREETING: you", with: "GREETING: all"))
                try sandbox.succeed("up", "-d")
                #expect(try second.program.end().status == 128 + SIGTERM)
                let third = try Attachment(lentTo: "echo", in: sandbox)
                try third.program.prints("for all")
                // What can change in place leaves them alone.
                let inPlace = "    stop: { signal: SIGINT }"
                try sandbox.declare(
                    PerClientSidecars.echo.replacing("GREETING: you", with: "GREETING: all") + inPlace)
                try sandbox.succeed("up", "-d")
                third.send("still here")
                try third.program.prints("still here")
                try sandbox.succeed("stop", "echo")
                #expect(try third.program.end().status == 128 + SIGINT)
                let stopped = try sandbox.orchestrate("attach", "echo")
                #expect(stopped.errors.contains("'echo' does not run (stopped)"))
                try sandbox.succeed("down")
            }
        }

        @Test func `more clients than there may be are told so`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  many: { command: [cat], stdio: per_client }")
                try sandbox.succeed("up", "-d")
                let path = try sandbox.socket(of: "many")
                let clients = try (1...64).map { _ in try StreamClient(path) }
                for client in clients {
                    client.send("here")
                    try client.receives("here")
                }
                let attach = try sandbox.orchestrate("attach", "many")
                #expect(attach.status == 1)
                #expect(attach.errors.contains("'many' has 64 clients, the most it may have"))
                let refusals = try sandbox.succeed("logs", "many").split(separator: "\n")
                #expect(refusals.count { $0.contains("was turned away") } == 1, "\(refusals)")
                #expect(try StreamClient(path).ends())
                clients[0].hangUp()
                try sandbox.eventually("there is room") { sandbox.sidecars("many").count == 63 }
                let next = try StreamClient(path)
                next.send("now")
                try next.receives("now")
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `a second sidecar carries any program to the one process of the first`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      shared: { shell: 'exec sed -u "s/^/$$ /"', stdio: socket }
                      door: { command: [orchestrate, attach, shared], stdio: per_client, depends_on: [shared],
                              env: { PATH: "\(sandbox.programs):\(Sandbox.path)" } }
                    """)
                try sandbox.succeed("up", "-d")
                let pid = try #require(sandbox.sidecars("shared").first).pid
                for round in 1...2 {
                    let client = try StreamClient(sandbox.socket(of: "door"))
                    client.send("\(round)")
                    try client.receives("\(pid) \(round)\n")
                    let other = try StreamClient(sandbox.socket(of: "door"))
                    #expect(other.ends())
                    client.hangUp()
                    try sandbox.eventually("it has let go") {
                        !(try sandbox.succeed("status")).contains("shared: 1 client")
                    }
                }
                #expect(try sandbox.succeed("logs", "door").contains("'shared' has a client already (pid "))
                try sandbox.succeed("down")
            }
        }

        @Test func `an editor and its language server speak without anything in between`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      language: { command: ["\(Sandbox.package)/examples/stdio/language_server.py"], stdio: per_client }
                    """)
                try sandbox.succeed("up", "-d")
                func message(_ body: String) -> String { "Content-Length: \(body.utf8.count)\r\n\r\n\(body)" }
                let document = #"{"uri":"file:///a","text":"all is done\n\#("TO" + "DO"): the rest"}"#
                let script = [
                    #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"rootUri":"file:///"}}"#,
                    #"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":\#(document)}}"#,
                    #"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#, #"{"jsonrpc":"2.0","method":"exit"}"#,
                ]
                try File.write(script.map(message).joined(), to: "\(sandbox.directory)/session")
                let ended = try sandbox.shell("orchestrate attach language < session").end()
                #expect(ended.status == 0)
                #expect(ended.output.contains(#""line": 1, "character": 0"#))
                #expect(ended.output.contains(#""id": 2, "result": null"#))
                #expect(ended.errors == "")
                try sandbox.eventually("its log says whom it served") {
                    try sandbox.succeed("logs", "language").contains("serving file:///")
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `what can't be started says why, to the client and in the log`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  broken: { command: [./missing], stdio: per_client }")
                try sandbox.succeed("up", "-d")
                let attach = try sandbox.orchestrate("attach", "broken")
                #expect(attach.status == 1)
                #expect(attach.errors.contains("cannot attach to 'broken': "))
                #expect(attach.errors.contains("missing"))
                #expect(try StreamClient(sandbox.socket(of: "broken")).ends())
                #expect(try sandbox.succeed("logs", "broken").contains("nothing was started for pid "))
                try sandbox.succeed("down")
            }
        }
    }
}
