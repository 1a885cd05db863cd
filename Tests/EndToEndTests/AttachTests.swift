import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `stdio: socket`: a client at a sidecar's standard input and output.
    @Suite
    struct AttachTests {
        /// Answers each line, and ends where it is told to.
        private static let server = """
              server:
                command: ["\(Sandbox.package)/examples/stdio/server.py"]
                stdio: socket

            """

        @Test func `a piped request is answered, and the sidecar goes on`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.server)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("server").count == 1 }
                let before = sandbox.sidecars("server")
                let request = #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#
                for _ in 1...2 {
                    let ended = try sandbox.shell("echo '\(request)' | orchestrate attach server").end()
                    #expect(ended.status == 0)
                    #expect(ended.output == #"{"jsonrpc": "2.0", "id": 1, "result": {}}"# + "\n")
                    #expect(ended.errors == "")
                }
                #expect(sandbox.sidecars("server") == before)
                try sandbox.succeed("down")
            }
        }

        @Test func `an attachment does not notice that its supervisor is killed`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.server)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("server").count == 1 }
                let before = sandbox.sidecars("server")
                let client = try Attachment(to: "server", in: sandbox)
                var sent = 0
                var expected = ""
                func talk() throws {
                    for _ in 1...20 {
                        sent += 1
                        client.send(#"{"jsonrpc":"2.0","id":\#(sent),"method":"ping"}"#)
                        expected += #"{"jsonrpc": "2.0", "id": \#(sent), "result": {}}"# + "\n"
                    }
                }
                for _ in 1...max(3, rounds) {
                    try talk()
                    try client.program.prints(#""id": \#(sent), "#)
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    // Nobody supervises now; the conversation goes on.
                    try talk()
                    try client.program.prints(#""id": \#(sent), "#)
                    try sandbox.eventually("it is back") { sandbox.supervisor.map { $0 != supervisor } ?? false }
                    try talk()
                    try client.program.prints(#""id": \#(sent), "#)
                }
                // The new supervisor knows of the client, too.
                let second = try sandbox.orchestrate("attach", "server")
                #expect(second.status == 7)
                #expect(second.errors.contains("'server' has a client already (pid \(client.program.pid))"))
                client.endInput()
                let ended = try client.program.end()
                #expect(ended.status == 0)
                #expect(ended.output == expected)
                #expect(!(try sandbox.succeed("logs", "server")).contains("result"))
                #expect(sandbox.sidecars("server") == before)
                // It notices that the client is gone, too.
                let third = try Attachment(to: "server", in: sandbox)
                third.send(#"{"jsonrpc":"2.0","id":"third","method":"ping"}"#)
                try third.program.prints(#""id": "third""#)
                third.endInput()
                #expect(try third.program.end().status == 0)
                try sandbox.succeed("down")
            }
        }

        @Test func `a second client is refused and told of the first`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.server)
                try sandbox.succeed("up", "-d")
                let first = try Attachment(to: "server", in: sandbox)
                let second = try sandbox.orchestrate("attach", "server")
                #expect(second.status == 7)
                #expect(second.errors.contains("'server' has a client already (pid \(first.program.pid))"))
                #expect(second.output == "")
                #expect(try sandbox.succeed("status").contains("server: 1 client: pid \(first.program.pid)"))
                first.send(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
                try first.program.prints(#""id": 1"#)
                first.endInput()
                #expect(try first.program.end().status == 0)
                try sandbox.succeed("down")
            }
        }

        @Test func `output is logged while nobody is attached, and stderr always`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      echo:
                        shell: |
                          echo begun
                          while read line; do
                            echo "out $line"; echo "err $line" >&2
                            : <go
                            echo "late out"; echo "late err" >&2
                          done
                        stdio: socket
                        hooks: { post_start: { shell: echo hooked } }
                    """)
                let go = Gate("go", in: sandbox)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("what came before is logged") {
                    let log = try sandbox.succeed("logs", "echo")
                    return log.contains("begun") && log.contains("hooked")
                }
                let client = try Attachment(to: "echo", in: sandbox)
                client.send("one")
                try client.program.prints("out one")
                // Dies without a word, and what it did not read is not lost.
                client.program.signal(SIGSTOP)
                go.open()
                try sandbox.eventually("stderr is logged") {
                    try sandbox.succeed("logs", "echo").contains("late err")
                }
                #expect(!(try sandbox.succeed("logs", "echo")).contains("late out"))
                client.program.signal(SIGKILL)
                try sandbox.eventually("what the client left is logged") {
                    try sandbox.succeed("logs", "echo").contains("late out")
                }
                #expect(try client.program.end().output == "out one\n")
                let log = try sandbox.succeed("logs", "echo")
                #expect(log.contains("err one"))
                #expect(!log.contains("out one"))
                try sandbox.succeed("down")
            }
        }

        @Test func `the end of the sidecar is that of the attachment, with its exit code`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      ender:
                        shell: 'read code; echo "as you say"; exit "$code"'
                        stdio: socket
                      echo: { command: [cat], stdio: socket }
                    """)
                try sandbox.succeed("up", "-d")
                let first = try Attachment(to: "ender", in: sandbox)
                first.send("7")
                let ended = try first.program.end()
                #expect(ended.status == 7)
                #expect(ended.output == "as you say\n")

                // Its supervisor is killed at the same time.
                try sandbox.succeed("wait", "ender", "--for", "healthy")
                let second = try Attachment(to: "ender", in: sandbox)
                let third = try Attachment(to: "echo", in: sandbox)
                third.send("here")
                try third.program.prints("here")
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                second.send("9")
                #expect(try second.program.end().status == 9)

                try sandbox.succeed("down")
                #expect(try third.program.end().status == 128 + SIGTERM)
            }
        }

        @Test func `after down the exit code is told at once, and nobody is started to be asked`() throws {
            for _ in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare("  echo: { command: [cat], stdio: socket }")
                    try sandbox.succeed("up", "-d")
                    let client = try Attachment(to: "echo", in: sandbox)
                    client.send("here")
                    try client.program.prints("here")
                    try sandbox.succeed("down")
                    #expect(try client.program.end(within: 5).status == 128 + SIGTERM)
                    try sandbox.eventually("nothing runs", within: 5) { sandbox.processes.isEmpty }
                }
            }
        }

        @Test func `what an earlier life did not read is not for its successor`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      deaf:
                        shell: '[ -e second ] && exec cat; touch second; exec sleep 1000'
                        stdio: socket
                    """)
                try sandbox.succeed("up", "-d")
                let first = try Attachment(to: "deaf", in: sandbox)
                first.send("for the first")
                first.endInput()
                #expect(try first.program.end().status == 0)
                try sandbox.succeed("restart", "deaf")
                let second = try Attachment(to: "deaf", in: sandbox)
                second.send("for the second")
                try second.program.prints("for the second")
                second.endInput()
                #expect(try second.program.end().output == "for the second\n")
                try sandbox.succeed("down")
            }
        }

        @Test func `at a terminal Ctrl-P Ctrl-Q leaves, and the terminal edits lines as ever`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  echo: { command: [cat], stdio: socket }")
                try sandbox.succeed("up", "-d")
                let client = try sandbox.start(["attach", "echo"], onTerminal: true)
                client.type("wrony\u{7f}g\n")
                try client.prints("wrong\r\n")
                client.type("\u{10}\u{11}")
                let ended = try client.end()
                #expect(ended.status == 0)
                #expect(ended.output.contains("detached; 'echo' goes on"))
                #expect(sandbox.sidecars("echo").count == 1)
                try sandbox.succeed("down")
            }
        }

        @Test func `who can't be attached to says why`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      plain: { command: [sleep, "1000"] }
                      twice: { command: [cat], stdio: socket, replicas: 2 }
                      down:  { command: [cat], stdio: socket }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("stop", "down")
                let plain = try sandbox.orchestrate("attach", "plain")
                #expect(plain.status == 1)
                #expect(plain.errors.contains("it does not say 'stdio: socket'"))
                let twice = try sandbox.orchestrate("attach", "twice")
                #expect(twice.status == 1)
                #expect(twice.errors.contains("name one of twice/0, twice/1"))
                let down = try sandbox.orchestrate("attach", "down")
                #expect(down.status == 1)
                #expect(down.errors.contains("'down' does not run (stopped)"))
                #expect(try sandbox.orchestrate("attach", "nobody").status == 4)
                let one = try Attachment(to: "twice/1", in: sandbox)
                one.send("hello")
                try one.program.prints("hello")
                one.endInput()
                #expect(try one.program.end().status == 0)
                try sandbox.succeed("down")
            }
        }
    }
}
