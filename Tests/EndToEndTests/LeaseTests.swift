import FoundationEssentials
import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// A project bound to an app: what becomes of it when the app, the command and the supervision end, in any order.
    @Suite
    struct LeaseTests {
        private static let pair = """
              db: { command: [sleep, "1000"], ports: { sql: auto } }
              web: { command: [sleep, "1000"], depends_on: { db: started } }
            """

        /// An app that starts the command with a pipe as its input, and lives until it is killed.
        private static let app = """
            import subprocess, sys
            command = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
            print("started", command.pid, flush=True)
            command.wait()
            """

        private static func startApp(in sandbox: Sandbox, _ arguments: String...) throws -> Program {
            let program = ["python3", "-c", app, "\(sandbox.programs)/orchestrate", "up"] + arguments
            let started = try sandbox.start(program: program)
            try sandbox.eventually("both run") { sandbox.pair.count == 2 }
            return started
        }

        // MARK: --lease stdin

        @Test func `an app that is killed takes its project with it`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let app = try Self.startApp(in: sandbox, "--lease", "stdin")
                app.signal(SIGKILL)
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                _ = try app.end()
            }
        }

        @Test func `closing the input ends the project in order, and the command with 0`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { shell: "trap 'echo db left; exit' TERM; echo up; while :; do sleep 1000 & wait; done", health: { log: up } }
                      web:
                        shell: "trap 'echo web left; exit' TERM; echo up; while :; do sleep 1000 & wait; done"
                        health: { log: up }
                        depends_on: [db]
                    """)
                let input = HeldInput(in: sandbox)
                let up = try sandbox.shell("exec orchestrate up --lease stdin <'\(input.path)'")
                try up.prints("ready after")
                input.close()
                let ended = try up.end()
                #expect(ended.status == 0, "\(ended.everything)")
                #expect(ended.errors.contains("standard input ended; stopping in order"))
                let log = try sandbox.succeed("logs")
                let web = try #require(log.firstRange(of: "web left"))
                let db = try #require(log.firstRange(of: "db left"))
                #expect(web.lowerBound < db.lowerBound, "\(log)")
            }
        }

        @Test func `a command that is killed with its app leaves nothing`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let app = try Self.startApp(in: sandbox, "--lease", "stdin")
                let command = try #require(sandbox.client)
                command.kill()
                app.signal(SIGKILL)
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                _ = try app.end()
            }
        }

        @Test func `an app's end is seen although the supervisor was killed meanwhile`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let app = try Self.startApp(in: sandbox, "--lease", "stdin")
                try #require(sandbox.supervisor).kill()
                app.signal(SIGKILL)
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                _ = try app.end()
            }
        }

        @Test func `up that fails under a lease leaves nothing, and says so to whoever waits`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"] }
                      bad: { kind: task, command: ["false"], depends_on: { db: started } }
                    """)
                let input = HeldInput(in: sandbox)
                let up = try sandbox.shell(
                    "exec orchestrate up --lease stdin --ready-fd 3 <'\(input.path)' 3>'\(sandbox.readyFile)'")
                let ended = try up.end()
                #expect(ended.status == 1, "\(ended.everything)")
                let line = try ReadyLine(sandbox)
                #expect(!line.ready)
                #expect(line.exit_code == 1)
                #expect(line.error?.contains("bad is failed") == true)
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                withExtendedLifetime(input) {}
            }
        }

        @Test func `an input that nobody holds is refused before anything starts`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let nothing = try sandbox.orchestrate("up", "--lease", "stdin")
                #expect(nothing.status == 64)
                #expect(nothing.errors.contains("it is no pipe, socket or terminal"))
                let gone = try sandbox.shell("mkfifo i; exec 3<>i 4<i 3>&-; exec orchestrate up --lease stdin <&4")
                    .end()
                #expect(gone.status == 1)
                #expect(gone.errors.contains("at its end already"), "\(gone.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        // MARK: --owner-pid

        @Test(arguments: ["nothing else", "the command", "the supervisor"])
        func `the end of the owner is the end of the project, whatever else was killed`(killed: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let owner = try sandbox.start(program: ["sleep", "1000"])
                let up = try sandbox.start("up", "--owner-pid", "\(owner.pid)")
                try up.prints("ready after")
                let before = sandbox.pair
                switch killed {
                case "the command":
                    up.signal(SIGKILL)
                    _ = try up.end()
                    try sandbox.succeed("status")
                    #expect(sandbox.pair == before)
                case "the supervisor": try #require(sandbox.supervisor).kill()
                default: break
                }
                owner.signal(SIGKILL)
                _ = try owner.end()
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
                if killed == "nothing else" {
                    let ended = try up.end()
                    #expect(ended.output.contains("the process with pid \(owner.pid) ended; stopping in order"))
                    #expect(ended.status == 0, "\(ended.everything)")
                } else if killed == "the supervisor" {
                    _ = try up.end()
                }
            }
        }

        @Test func `a command outlives neither its owner nor the whole supervision`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let owner = try sandbox.start(program: ["sleep", "1000"])
                let up = try sandbox.start("up", "--owner-pid", "\(owner.pid)")
                try up.prints("ready after")
                // The command stands still, and finds all of it gone at once.
                up.signal(SIGSTOP)
                let others = sandbox.processes.filter { $0.pid != up.pid }
                // None sees another one's end, and takes the project down in order for it.
                for process in others { process.signal(SIGSTOP) }
                for process in others { process.kill() }
                try sandbox.eventually("only the command is left") { sandbox.processes.allSatisfy { $0.pid == up.pid } }
                up.signal(SIGCONT)
                let ended = try up.end()
                #expect(ended.status == 5, "\(ended.everything)")
                _ = try owner.end()
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `a detached project may belong to an owner, until up -d lets go of it`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let owner = try sandbox.start(program: ["sleep", "1000"])
                let other = try sandbox.start(program: ["sleep", "1000"])
                try sandbox.succeed("up", "-d", "--owner-pid", "\(owner.pid)")
                // Once more for the same one is no conflict; for another one it is, and touches nothing.
                try sandbox.succeed("up", "-d", "--owner-pid", "\(owner.pid)")
                let refused = try sandbox.orchestrate("up", "-d", "--owner-pid", "\(other.pid)")
                #expect(refused.status == 7)
                #expect(refused.errors.contains("hangs on the process with pid \(owner.pid)"))
                try sandbox.succeed("up", "-d")
                let before = sandbox.pair
                owner.signal(SIGKILL)
                _ = try owner.end()
                try sandbox.succeed("up", "-d", "--owner-pid", "\(other.pid)")
                #expect(sandbox.pair == before)
                other.signal(SIGKILL)
                _ = try other.end()
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `an owner that can't be one is an error, and nothing starts`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let ended = try sandbox.start(program: ["true"])
                _ = try ended.end()
                let absent = try sandbox.orchestrate("up", "-d", "--owner-pid", "\(ended.pid)")
                #expect(absent.status == 1)
                #expect(absent.errors.contains("there is no such process. Nothing was started"))
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test(.enabled(if: geteuid() == 0, "needs to run something as another user"))
        func `another user's process is no owner`() throws {
            try Sandbox.run(as: 65534) { sandbox in
                try sandbox.declare(Self.pair)
                let refused = try sandbox.orchestrate("up", "-d", "--owner-pid", "\(getpid())")
                #expect(refused.status == 1)
                #expect(refused.errors.contains("belongs to the user with uid 0"), "\(refused.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        // MARK: --ready-fd

        @Test func `the ready line names every port, URL and generated secret, and then the descriptor closes`() throws
        {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], ports: { sql: auto }, secrets: { PGPASSWORD: pg }, replicas: 2 }
                      api:
                        command: [python3, -m, http.server, --bind, 127.0.0.1, "${ports.http}"]
                        ports: { http: auto }
                        health: { http: / }
                    """, top: "secrets: { pg: { generate: 24 } }")
                // cat ends when the last copy of the descriptor is closed, which is before the command ends.
                let up = try sandbox.shell(
                    "mkfifo r; (cat r >new; mv new '\(sandbox.readyFile)') & exec orchestrate up --ready-fd 3 3>r")
                try sandbox.eventually("the line is there") { File.exists(sandbox.readyFile) }
                let line = try ReadyLine(sandbox)
                #expect(line.ready)
                #expect(line.bound == true)
                #expect(line.secrets?["pg"]?.count == 24)
                #expect(line.instances?.keys.sorted() == ["api", "db/0", "db/1"])
                let api = try #require(line.instances?["api"]?.ports["http"])
                #expect(api.address == "127.0.0.1:\(api.number)")
                #expect(api.url == "http://127.0.0.1:\(api.number)")
                #expect(try sandbox.succeed("port", "api") == "\(api.number)\n")
                up.signal(SIGTERM)
                _ = try up.end()
            }
        }

        @Test func `a reader that is gone is no reason to end`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let up = try sandbox.shell("mkfifo r; exec 4<>r 3>r 4>&-; exec orchestrate up -d --ready-fd 3")
                #expect(try up.end().status == 0)
                #expect(sandbox.pair.count == 2)
                try sandbox.succeed("down")
            }
        }

        @Test func `a manifest that is wrong is said in the ready line too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  db: { comand: [sleep, \"1000\"] }")
                let up = try sandbox.shell("exec orchestrate up -d --ready-fd 3 3>'\(sandbox.readyFile)'")
                #expect(try up.end().status == 3)
                let line = try ReadyLine(sandbox)
                #expect(!line.ready)
                #expect(line.exit_code == 3)
                #expect(line.error == "the manifest is not valid: 'orchestrate validate' says why")
            }
        }
    }
}

/// The line as an app reads it.
private struct ReadyLine: Decodable {
    struct Instance: Decodable { var ports: [String: Port] }

    struct Port: Decodable {
        var number: Int
        var address: String
        var url: String?
    }

    var ready: Bool
    var bound: Bool?
    var exit_code: Int?
    var error: String?
    var instances: [String: Instance]?
    var secrets: [String: String]?

    init(_ sandbox: Sandbox) throws {
        let text = File.text(sandbox.readyFile)
        #expect(text.hasSuffix("\n") && text.split(separator: "\n").count == 1, "\(text)")
        self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    }
}

extension Sandbox {
    fileprivate var readyFile: String { "\(directory)/ready.json" }

    /// What a person started.
    fileprivate var client: SeenProcess? {
        processes.first { $0.executable == "orchestrate" && $0.arguments.dropFirst().first == "up" }
    }

    fileprivate var pair: [SeenProcess] { sidecars("db") + sidecars("web") }
}
