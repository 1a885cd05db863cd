import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `orchestrate up` as the first process of a PID namespace, as a container's entrypoint is.
    @Suite(.enabled(if: Namespace.isAllowed, Namespace.whyNot))
    struct FirstProcessTests {
        private static let pair = """
              db: { command: [sleep, "1000"] }
              web: { command: [sleep, "1000"], depends_on: { db: started } }
            """

        private static func withContainer(
            _ sidecars: String, _ body: (Sandbox, Container) throws -> Void
        ) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(sidecars)
                try body(sandbox, try Container(sandbox, "up"))
            }
        }

        @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
        func `a signal takes everything down in order`(signal: Int32) throws {
            try Self.withContainer(Self.pair) { sandbox, container in
                try container.program.prints("ready after")
                try container.first.signal(signal)
                let ended = try container.program.end()
                #expect(ended.status == 130, "\(ended.everything)")
                let web = try #require(ended.output.firstRange(of: "web stopped"), "\(ended.everything)")
                let db = try #require(ended.output.firstRange(of: "db stopped"), "\(ended.everything)")
                #expect(web.lowerBound < db.lowerBound)
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test(arguments: [("exit 7", 7), ("exit 0", 0), ("kill -KILL $$", 137)] as [(String, Int32)])
        func `the container ends as its primary does`(end: String, code: Int32) throws {
            let sidecars = """
                  db: { command: [sleep, "1000"] }
                  main: { primary: true, shell: "\(end)", restart: never, depends_on: { db: started } }
                """
            try Self.withContainer(sidecars) { sandbox, container in
                let ended = try container.program.end()
                #expect(ended.status == code, "\(ended.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test(arguments: [("", 143), ("trap 'exit 3' TERM;", 3)] as [(String, Int32)])
        func `a signalled container exits with its primary's code`(trap: String, code: Int32) throws {
            let sidecars = """
                  db: { command: [sleep, "1000"] }
                  main:
                    primary: true
                    shell: "\(trap) echo up; while :; do sleep 1000 & wait; done"
                    health: { log: up }
                    depends_on: { db: started }
                """
            try Self.withContainer(sidecars) { sandbox, container in
                try container.program.prints("ready after")
                try container.first.signal(SIGTERM)
                let ended = try container.program.end()
                #expect(ended.status == code, "\(ended.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test func `what is orphaned in the container is reaped`() throws {
            try Self.withContainer(Self.pair) { sandbox, container in
                try container.program.prints("ready after")
                let known = container.children
                let entered = try sandbox.start(
                    program: try container.entering(["sh", "-c", "setsid sleep 500 >/dev/null 2>&1 &"]))
                _ = try entered.end()
                try sandbox.eventually("it became a child of the first process") {
                    container.children.count > known.count
                }
                let orphan = try #require(Set(container.children).subtracting(known).first)
                kill(orphan, SIGKILL)
                try sandbox.eventually("no zombie of it is left") { !container.children.contains(orphan) }
                try container.first.signal(SIGTERM)
                _ = try container.program.end()
            }
        }

        @Test(
            .enabled(if: Namespace.canChoosePids, "only root may choose pids, and older kernels have one limit for all")
        )
        func `a keeper takes no more memory for all the pids it has come by`() throws {
            let sidecars = """
                  one:
                    shell: "echo $$ > pid.new; mv pid.new pid; exec sleep 1000"
                    start: { settle: 0s }
                    restart: { delay: 0s, max_attempts: 0 }
                """
            try Self.withContainer(sidecars) { sandbox, container in
                try container.program.prints("ready after")
                let keeper = try #require(sandbox.keeper)
                let before = try keeper.ownMemory
                // Each successor's pid is thousands above the last one's.
                let script = """
                    set -e
                    cd "$0"
                    echo 4194304 > /proc/sys/kernel/pid_max
                    until [ -e pid ]; do sleep 0.01; done
                    for i in $(seq 2 61); do
                        last=$(cat pid)
                        echo $((i * 20000)) > /proc/sys/kernel/ns_last_pid
                        kill -KILL "$last"
                        until [ "$(cat pid)" != "$last" ]; do sleep 0.01; done
                    done
                    """
                let ended = try sandbox.start(program: try container.entering(["sh", "-c", script, sandbox.directory]))
                    .end()
                #expect(ended.status == 0, "\(ended.everything)")
                #expect(try keeper.ownMemory - before < 100)
                try container.first.signal(SIGTERM)
                _ = try container.program.end()
            }
        }

        @Test func `an up that fails takes down what it started`() throws {
            let sidecars = """
                  db: { shell: "trap 'echo left; exit' TERM; echo up; while :; do sleep 1000 & wait; done", health: { log: up } }
                  bad: { kind: task, command: ["false"], depends_on: [db] }
                """
            try Self.withContainer(sidecars) { sandbox, container in
                let ended = try container.program.end()
                #expect(ended.status == 1, "\(ended.everything)")
                // In order, and not torn away by the end of the first process.
                #expect(try sandbox.succeed("logs", "db").contains("left"))
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test func `a supervisor that is killed comes back, and the container goes on`() throws {
            try Self.withContainer(Self.pair) { sandbox, container in
                try container.program.prints("ready after")
                let before = sandbox.sidecars("web")
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                try sandbox.eventually("the keeper starts it again") {
                    sandbox.supervisor.map { $0 != supervisor } ?? false
                }
                #expect(sandbox.sidecars("web") == before)
                try container.first.signal(SIGTERM)
                #expect(try container.program.end().status == 130)
            }
        }

        @Test func `a signal while the supervisor is away is obeyed in order, once it is back`() throws {
            try Self.withContainer(Self.pair) { sandbox, container in
                try container.program.prints("ready after")
                let keeper = try #require(sandbox.keeper)
                let supervisor = try #require(sandbox.supervisor)
                // Starts nobody again meanwhile.
                keeper.signal(SIGSTOP)
                supervisor.kill()
                try sandbox.eventually("it is gone") { ProcessTable.process(supervisor.pid) != supervisor }
                let first = try container.first
                let before = first.sleeps
                first.signal(SIGTERM)
                try sandbox.eventually("it looks for a supervisor, or has left") {
                    first.sleeps.map { $0 > (before ?? 0) + 3 } ?? true
                }
                keeper.signal(SIGCONT)
                let ended = try container.program.end()
                #expect(ended.status == 130, "\(ended.everything)")
                let web = try #require(ended.output.firstRange(of: "web stopped"), "\(ended.everything)")
                let db = try #require(ended.output.firstRange(of: "db stopped"), "\(ended.everything)")
                #expect(web.lowerBound < db.lowerBound)
            }
        }

        @Test func `a supervisor killed at any instant of an up loses nothing`() throws {
            var chance = Chance(seed: UInt64(getpid()))
            for round in 0..<rounds {
                try Self.withContainer(Self.pair) { sandbox, container in
                    try sandbox.eventually("a supervisor is there") { sandbox.supervisor != nil }
                    let delay = chance.next(below: 60)
                    sandbox.killSupervisor(afterMilliseconds: delay)
                    try container.program.prints("ready after")
                    try sandbox.eventually("both run, round \(round), after \(delay) ms") {
                        sandbox.sidecars("db").count == 1 && sandbox.sidecars("web").count == 1
                    }
                    try container.first.signal(SIGTERM)
                    let ended = try container.program.end()
                    #expect(ended.status == 130 && ended.output.contains("db stopped"), "\(ended.everything)")
                    #expect(sandbox.processes.isEmpty)
                }
            }
        }

        @Test func `a container whose supervision is lost does not end as if all went well`() throws {
            let sidecars = """
                  main:
                    primary: true
                    shell: "trap 'exit 0' TERM; echo up; while :; do sleep 1000 & wait; done"
                    health: { log: up }
                """
            try Self.withContainer(sidecars) { sandbox, container in
                try container.program.prints("ready after")
                try sandbox.killSupervision()
                let ended = try container.program.end()
                #expect(ended.status == 5, "\(ended.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test func `a primary that had ended before the supervision was lost has decided`() throws {
            let sidecars = """
                  db: { shell: "trap '' TERM; echo up; while :; do sleep 1000 & wait; done", health: { log: up }, stop: { grace: 2s } }
                  main:
                    primary: true
                    shell: "trap 'exit 7' TERM; echo up; while :; do sleep 1000 & wait; done"
                    health: { log: up }
                    restart: never
                    depends_on: [db]
                """
            try Self.withContainer(sidecars) { sandbox, container in
                try container.program.prints("ready after")
                let main = try #require(sandbox.sidecars("main").first { $0.executable != "sleep" })
                main.signal(SIGTERM)
                try container.program.prints("main failed")
                try sandbox.killSupervision()
                let ended = try container.program.end()
                #expect(ended.status == 7, "\(ended.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test func `a first process can't detach`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                let words = Namespace.prefix + ["\(sandbox.programs)/orchestrate", "up", "-d"]
                let ended = try sandbox.start(program: words).end()
                #expect(ended.status == 64)
                #expect(ended.errors.contains("leave out -d"), "\(ended.everything)")
            }
        }

        @Test func `it runs on a read-only root and without a home`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  main: { primary: true, shell: \"echo hello; exit 5\", restart: never }")
                let script = """
                    set -e
                    mount -t tmpfs none /dev/shm
                    mount -o remount,bind,ro /
                    ! touch "$1.probe" 2>/dev/null
                    exec env -i PATH="$PATH" \(Sandbox.mark)="$\(Sandbox.mark)" "$0" up -f "$1"
                    """
                let words = ["sh", "-c", script, "\(sandbox.programs)/orchestrate", sandbox.manifest]
                let ended = try sandbox.start(program: Namespace.prefix + words).end()
                #expect(ended.status == 5, "\(ended.everything)")
                #expect(ended.errors.contains("state is kept in /dev/shm/orchestrate-state-"), "\(ended.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }
    }
}

extension SeenProcess {
    /// In KiB, without what it shares with others or has of files.
    fileprivate var ownMemory: Int {
        get throws {
            let field = try #require(File.text("/proc/\(pid)/status").firstMatch(of: /RssAnon:\s+([0-9]+)/))
            return try #require(Int(field.1))
        }
    }
}

/// A PID namespace of our own, with its own /proc and mounts.
private enum Namespace {
    static let prefix =
        ["unshare"] + (geteuid() == 0 ? [] : ["--user", "--map-root-user"])
        + ["--mount", "--pid", "--fork", "--mount-proc"]

    /// Since 6.14 each namespace has a limit of its own: what a test sets there concerns nobody else.
    static let canChoosePids: Bool = {
        var name = utsname()
        guard geteuid() == 0, uname(&name) == 0 else { return false }
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return !numbers.lexicographicallyPrecedes([6, 14])
    }()

    static let whyNot: Comment = "this machine does not let us make a PID namespace with unshare"

    static let isAllowed: Bool = {
        let environment = ["PATH": Sandbox.path]
        let tried = try? Program(prefix + ["true"], directory: "/", environment: environment)
        return (try? tried?.end(within: 10))??.status == 0
    }()
}

/// A program that runs as the first process of its namespace, seen from outside.
private struct Container {
    /// `unshare`, which waits for it and ends as it does.
    let program: Program
    private let sandbox: Sandbox

    init(_ sandbox: Sandbox, _ arguments: String...) throws {
        self.sandbox = sandbox
        program = try sandbox.start(program: Namespace.prefix + ["\(sandbox.programs)/orchestrate"] + arguments)
    }

    struct First {
        let pid: pid_t

        func signal(_ number: Int32) { kill(pid, number) }

        /// How often it went to sleep. Nil: it is gone.
        var sleeps: Int? {
            File.text("/proc/\(pid)/status").firstMatch(of: /\nvoluntary_ctxt_switches:\s+([0-9]+)/)
                .flatMap { Int($0.1) }
        }
    }

    var first: First {
        get throws {
            let child = ProcessTable.all().first { $0.parent == program.pid }
            return First(pid: try #require(child, "the first process is not there").pid)
        }
    }

    /// Living or not, by their numbers outside.
    var children: [pid_t] {
        guard let first = try? first else { return [] }
        return File.text("/proc/\(first.pid)/task/\(first.pid)/children").split(separator: " ").compactMap {
            pid_t($0)
        }
    }

    func entering(_ words: [String]) throws -> [String] {
        let first = try first
        return ["nsenter", "--target", "\(first.pid)", "--pid", "--mount"]
            + (geteuid() == 0 ? [] : ["--user", "--preserve-credentials"]) + words
    }
}
