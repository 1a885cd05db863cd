import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Each claim of docs/explanation/threat-model.md, by trying to break it.
    @Suite
    struct SecurityTests {
        private static let isRoot = geteuid() == 0
        private static let secret = "hunter2-do-not-tell"

        @Test(arguments: ["000", "777"])
        func `state is private whatever the umask, and the sidecar has the umask of its user`(umask: String) throws {
            // Root would not notice a directory without a mode.
            try Sandbox.run(as: Self.isRoot ? 65_534 : nil) { sandbox in
                try sandbox.declare("  one: { shell: \"echo umask is $(umask); exec sleep 1000\" }")
                let up = try sandbox.shell("umask \(umask); exec orchestrate up -d")
                let ended = try up.end()
                try #require(ended.status == 0, "\(ended.everything)")
                try sandbox.eventually("it has spoken") {
                    try sandbox.succeed("logs", "one").contains("umask is 0\(umask)")
                }
                let state = try #require(sandbox.stateDirectory)
                for path in Self.tree(state) + Self.tree("\(state)/fifo/") {
                    let mode = File.mode(path)
                    var facts = stat()
                    guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT != S_IFLNK else { continue }
                    let isDirectory = facts.st_mode & S_IFMT == S_IFDIR
                    let isPrivate = mode & 0o077 == 0 && mode & 0o600 == 0o600 && (!isDirectory || mode == 0o700)
                    #expect(isPrivate, "\(path) has mode \(String(mode, radix: 8))")
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `a sidecar inherits no descriptor of the supervisor`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"], ports: { http: auto }, replicas: 3 }
                      spy:
                        kind: task
                        command: [python3, -c, "import os; print('holds', sorted(os.listdir('/proc/self/fd')))"]
                        depends_on: { web: started }
                    """)
                try sandbox.succeed("up", "-d")
                // The fourth is the listing itself.
                #expect(try sandbox.succeed("logs", "spy").contains("holds ['0', '1', '2', '3']"))
                try sandbox.succeed("down")
            }
        }

        @Test(.enabled(if: isRoot, "becoming another user needs root"))
        func `another user is refused by the control socket, even where its file would let them in`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                let state = try #require(sandbox.stateDirectory)
                let script = """
                    import socket
                    s = socket.socket(socket.AF_UNIX)
                    s.connect('\(state)/control.sock')
                    try:
                        s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"down","params":{}}\\n')
                    except BrokenPipeError:
                        pass  # It was shown out before it could ask.
                    print(s.recv(65536).decode())
                    """
                let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", script]
                let barred = try sandbox.start(program: nobody).end()
                #expect(barred.errors.contains("PermissionError"))
                for part in ["state", "state/orchestrate"] { chmod("\(sandbox.directory)/\(part)", 0o755) }
                chmod(state, 0o755)
                chmod("\(state)/control.sock", 0o666)
                let refused = try sandbox.start(program: nobody).end()
                #expect(refused.output.contains("belongs to another user"), "\(refused.everything)")
                #expect(sandbox.sidecars("one").count == 1)
                chmod(state, 0o700)
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["symlink", "hard link", "FIFO"])
        func `a log file that somebody planted is not written to`(kind: String) throws {
            try Sandbox.run { sandbox in
                let (logs, victim) = ("\(sandbox.directory)/shared", "\(sandbox.directory)/victim")
                mkdir(logs, 0o777)
                chmod(logs, 0o1777)
                try File.write("precious\n", to: victim)
                let planted = "\(logs)/web.0.log"
                switch kind {
                case "symlink": symlink(victim, planted)
                case "hard link": link(victim, planted)
                default: mkfifo(planted, 0o666)
                }
                try sandbox.declare(
                    """
                      web: { shell: "echo attack; exec sleep 1000", logs: { dir: "\(logs)", block: 1s } }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it is said") {
                    try sandbox.succeed("status").contains("the log of web/0 cannot be written")
                }
                #expect(File.text(victim) == "precious\n")
                if kind == "symlink" { #expect(try !sandbox.succeed("logs", "web").contains("precious")) }
                try sandbox.succeed("down")
                #expect(File.text(victim) == "precious\n")
            }
        }

        @Test func `a state directory that is a link is refused`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                let state = try #require(sandbox.stateDirectory)
                let elsewhere = "\(sandbox.directory)/elsewhere"
                Directory.remove(state)
                mkdir(elsewhere, 0o755)
                chmod(elsewhere, 0o755)
                symlink(elsewhere, state)
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(up.errors.contains("it is not a directory"), "\(up.everything)")
                #expect(File.mode(elsewhere) == 0o755)
                #expect(Directory.entries(elsewhere).isEmpty)
            }
        }

        @Test func `nothing a sidecar says or answers reaches the terminal as an order`() throws {
            try Sandbox.run { sandbox in
                let evil = "\\033]0;owned\\007\\033[2J\\302\\2331m\\342\\200\\256"
                try sandbox.declare(
                    """
                      loud: { shell: "printf '\(evil.replacing("\\", with: "\\\\"))\\\\n'; exec sleep 1000" }
                      server:
                        command:
                          - python3
                          - -uc
                          - |
                            import os, socket
                            s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
                            while True:
                                c, _ = s.accept()
                                c.recv(4096)
                                c.sendall(b'HTTP/1.1 500 \\x1b]0;owned\\x07\\xc2\\x9b2J\\r\\nContent-Length: 0\\r\\n\\r\\n')
                                c.close()
                        ports: { http: auto }
                        health: { readiness: { http: { path: / }, period: 100ms } }
                    """)
                _ = try sandbox.orchestrate("up", "-d", "--timeout", "3s")
                var output = ""
                try sandbox.eventually("it has spoken") {
                    output = try sandbox.succeed("logs")
                    return output.contains("owned")
                }
                for arguments in [
                    ["status"], ["status", "--json"], ["why", "server"], ["events"], ["logs", "--json"], ["ls"],
                ] {
                    output += try sandbox.start(arguments).end().everything
                }
                #expect(output.contains("\\e]0;owned"))
                let orders = output.unicodeScalars.filter { scalar in
                    switch scalar.value {
                    case 0x0a, 0x09: false
                    case 0x00...0x1f, 0x7f...0x9f, 0x202e: true
                    default: false
                    }
                }
                #expect(orders.isEmpty, "\(orders.map { String($0.value, radix: 16) })")
                try sandbox.succeed("down")
            }
        }

        @Test func `values of the environment and arguments appear in nothing that is meant to be shown`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      one:
                        command: [sh, -c, "exec sleep 1000", "\(Self.secret)"]
                        env: { GREETING: "\(Self.secret)" }
                      two: { kind: task, command: [sh, -c, "exit 1", "\(Self.secret)"] }
                    """)
                _ = try sandbox.orchestrate("up", "-d")
                for arguments in [
                    ["status"], ["status", "--json"], ["events"], ["why", "one"], ["why", "two"], ["ls", "--json"],
                    ["doctor", "--json"], ["doctor", "--leaks"],
                ] {
                    let shown = try sandbox.start(arguments).end().everything
                    #expect(!shown.contains(Self.secret), "\(arguments)")
                }
                let log = File.text("\(try #require(sandbox.stateDirectory))/supervisor.log")
                #expect(!log.contains(Self.secret))
                try sandbox.succeed("down")
            }
        }

        private static func tree(_ directory: String) -> [String] {
            Directory.entries(directory).flatMap { name -> [String] in
                let path = "\(directory)/\(name)"
                var facts = stat()
                guard lstat(path, &facts) == 0 else { return [] }
                return [path] + (facts.st_mode & S_IFMT == S_IFDIR ? tree(path) : [])
            }
        }
    }
}
