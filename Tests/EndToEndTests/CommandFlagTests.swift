import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What the flags of the commands do, on the real program.
    @Suite
    struct CommandFlagTests {
        private static let pair = """
              db: { command: [sleep, "1000"], ports: { sql: auto } }
              web: { command: [sleep, "1000"], depends_on: { db: started } }
            """

        // MARK: up

        @Test func `up --refresh-env gives its environment to what starts from then on, and nothing else does`() throws
        {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  web: { shell: \"echo flavour=$FLAVOUR; exec sleep 1000\", health: { log: flavour } }")
                func up(_ flavour: String, _ flags: String...) throws {
                    let ended = try sandbox.start(["up", "-d"] + flags, environment: ["FLAVOUR": flavour]).end()
                    #expect(ended.status == 0, "\(ended.everything)")
                }
                func flavours() throws -> [String] {
                    try sandbox.succeed("logs", "web").split(separator: "\n").map { String($0.suffix(3)) }
                }
                try up("old")
                let before = sandbox.sidecars()
                try up("new")
                try sandbox.succeed("restart", "web")
                #expect(try flavours() == ["old", "old"])
                let restarted = sandbox.sidecars()
                #expect(restarted != before)
                try up("new", "--refresh-env")
                #expect(sandbox.sidecars() == restarted)
                try sandbox.succeed("restart", "web")
                #expect(try flavours() == ["old", "old", "new"])
                try sandbox.succeed("down")
            }
        }

        @Test func `up --refresh-env gives its limits, but for what the manifest says and what may not be raised`()
            throws
        {
            try Sandbox.run { sandbox in
                let probe = ["sh", "-c", "ulimit -n 100; ulimit -Hn 200"]
                let mayRaise = try sandbox.start(program: probe).end().status == 0
                let script = "echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -Sc); exec sleep 1000"
                try sandbox.declare(
                    """
                      plain: { shell: "\(script)", health: { log: . } }
                      own: { shell: "\(script)", ulimits: { nofile: { soft: 99 } }, health: { log: . } }
                    """)
                func up(_ limits: String, _ flags: String...) throws -> String {
                    let words = ["\(sandbox.programs)/orchestrate", "up", "-d"] + flags
                    let program = ["sh", "-c", "\(limits); exec \"$@\"", "sh"] + words
                    let ended = try sandbox.start(program: program).end()
                    #expect(ended.status == 0, "\(ended.everything)")
                    return ended.everything
                }
                func last(_ name: String) throws -> String {
                    try sandbox.succeed("restart", name)
                    let line = try sandbox.succeed("logs", name, "-n", "1").dropLast()
                    return String(line.split(separator: " ", maxSplits: 2).last ?? "")
                }
                _ = try up("ulimit -Sn 600; ulimit -Hn 900; ulimit -Sc 0")
                #expect(try last("plain") == "600 900 0")
                _ = try up("ulimit -Sn 500; ulimit -Hn 800")
                #expect(try last("plain") == "600 900 0")
                _ = try up("ulimit -Sn 500; ulimit -Hn 800; ulimit -Sc 0", "--refresh-env")
                #expect(try last("plain") == "500 800 0")
                #expect(try last("own") == "99 800 0")
                // It outlives the supervisor that took it over.
                try #require(sandbox.supervisor).kill()
                #expect(try last("plain") == "500 800 0")
                let said = try up("ulimit -Sn 1000; ulimit -Hn 1000; ulimit -Sc 0", "--refresh-env")
                #expect(said.contains("warning: sidecars get the limit 'nofile' as 900") != mayRaise)
                #expect(try last("plain") == (mayRaise ? "1000 1000 0" : "900 900 0"))
                #expect(try last("own") == (mayRaise ? "99 1000 0" : "99 900 0"))
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: [("exit 7", 7), ("exit 0", 0), ("kill -KILL $$", 137)] as [(String, Int32)])
        func `up --exit-code-from ends the project with that sidecar, and with its code`(
            end: String, code: Int32
        ) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"] }
                      checks: { kind: task, shell: "\(end)", depends_on: { db: started } }
                    """)
                let up = try sandbox.orchestrate("up", "--exit-code-from", "checks")
                #expect(up.status == code, "\(up.everything)")
                #expect(!up.everything.contains("orchestrate down"), "\(up.everything)")
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `up --exit-code-from ends as that one that somebody stops, and not when it is restarted`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"] }
                      web: { shell: "trap 'exit 7' TERM; echo up; sleep 1000 & wait", health: { log: up }, depends_on: [db] }
                    """)
                let up = try sandbox.start("up", "--exit-code-from", "web")
                try up.prints("ready")
                try sandbox.succeed("restart", "web")
                #expect(sandbox.sidecars("db").count == 1)
                try sandbox.succeed("stop", "web")
                let ended = try up.end(within: 20)
                #expect(ended.status == 7, "\(ended.everything)")
                #expect(ended.everything.contains("web was stopped, and the project ends with it"))
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        /// Neither ends by itself within the test's time.
        private static let stubborn = """
              db: { shell: "trap 'echo asked' TERM; echo up; while :; do sleep 1000 & wait; done", health: { log: up }, stop: { grace: 100s } }
              web:
                shell: "trap 'echo asked' TERM; echo up; while :; do sleep 1000 & wait; done"
                health: { log: up }
                depends_on: [db]
                stop: { grace: 100s }
            """

        @Test func `Ctrl-C stops in order, a second one without grace, a third one at once`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.stubborn)
                let client = try sandbox.start(["up"], onTerminal: true)
                try client.prints("up")
                try sandbox.eventually("both are healthy") {
                    try sandbox.orchestrate("status", "--exit-code").status == 0
                }
                client.type("\u{3}")
                try client.prints("stopping in order; Ctrl-C again skips the grace periods")
                try sandbox.eventually("web was asked to go") { try sandbox.succeed("logs", "web").contains("asked") }
                // Its dependent is still there.
                #expect(try !sandbox.succeed("logs", "db").contains("asked"))
                client.type("\u{3}")
                try client.prints("no more grace; Ctrl-C again kills what is left")
                let ended = try client.end()
                #expect(ended.status == 130)
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `three times Ctrl-C kills what is left, hooks too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], stop: { grace: 100s }, hooks: { post_stop: { exec: [sleep, "1000"], timeout: 100s } } }
                    """)
                let client = try sandbox.start("up")
                try client.prints("ready")
                client.signal(SIGINT)
                try client.prints("stopping in order")
                client.signal(SIGINT)
                try client.prints("no more grace")
                client.signal(SIGINT)
                let ended = try client.end()
                #expect(ended.status == 130, "\(ended.everything)")
                try sandbox.eventually("nothing runs") { sandbox.processes.isEmpty }
            }
        }

        @Test func `a pre_stop hook ends with the grace it belongs to`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db:
                        command: [sleep, "1000"]
                        stop: { grace: 100ms }
                        hooks: { pre_stop: { exec: [sleep, "1000"], timeout: 100s } }
                      web:
                        command: [sleep, "1000"]
                        stop: { grace: 100s }
                        hooks: { pre_stop: { shell: "echo asked; exec sleep 1000", timeout: 100s } }
                        depends_on: { db: started }
                    """)
                try sandbox.succeed("up", "-d")
                let down = try sandbox.start("down")
                try sandbox.eventually("web's hook runs") { try sandbox.succeed("logs", "web").contains("asked") }
                down.signal(SIGINT)
                try down.prints("stopping in order")
                down.signal(SIGINT)
                #expect(try down.end().status == 0)
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        // MARK: down

        @Test func `ports stay the project's until down --release-ports`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                let registry = "\(sandbox.directory)/state/orchestrate/ports"
                let port = try sandbox.succeed("port", "db", "sql").split(separator: "\n").map(String.init)
                try sandbox.succeed("down")
                #expect(Directory.entries(registry) == port)
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.succeed("port", "db", "sql") == "\(port[0])\n")
                try sandbox.succeed("down", "--release-ports")
                #expect(Directory.entries(registry) == [])
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                #expect(Directory.entries(registry).count == 1)
                // It is down: there is nothing but the ports to give back.
                try sandbox.succeed("down", "--release-ports")
                #expect(Directory.entries(registry) == [])
            }
        }

        // MARK: status

        @Test func `status --watch draws again when something happens, and ends with the project`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                let watch = try sandbox.start(["status", "--watch"], onTerminal: true)
                try watch.prints("2 of 2 healthy")
                try sandbox.succeed("stop", "web")
                try watch.prints("1 of 1 healthy")
                try sandbox.succeed("down")
                let ended = try watch.end()
                #expect(ended.status == 0)
                #expect(ended.output.contains("\u{1b}[H"))
                #expect(ended.output.contains("the project is down"))
            }
        }

        @Test func `status --watch --json is a line for each change, and none while nothing changes`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                let watch = try sandbox.start("status", "--watch", "--json")
                try watch.prints("\n")
                try sandbox.succeed("stop", "web")
                try watch.prints("\"stopped\"")
                // A line for each look would be many by the time these are through.
                for _ in 0..<20 { try sandbox.succeed("status") }
                try sandbox.succeed("down")
                let lines = try watch.end().output.split(separator: "\n")
                #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
                #expect((2...8).contains(lines.count), "\(lines.count) lines")
            }
        }

        @Test func `a supervisor that ends again and again is called broken, with the way out`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("2 run") { sandbox.sidecars().count == 2 }
                let before = sandbox.sidecars()
                for death in 1...5 {
                    try sandbox.eventually("it runs") { sandbox.supervisor != nil }
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("death \(death)") { sandbox.supervisor != supervisor }
                }
                // The next attempt is 10 s away.
                let status = try sandbox.orchestrate("status")
                #expect(status.status == 1)
                let keeper = try #require(sandbox.keeper).pid
                let wayOut = "kill -9 \(keeper), and then 'orchestrate down'"
                for part in [
                    "supervisor-broken", "supervisor.log", "orchestrate down", "every 10 s", "db", "web", wayOut,
                ] {
                    #expect(status.output.contains(part), "\(status.everything)")
                }
                let upgrade = try sandbox.orchestrate("upgrade")
                #expect(upgrade.status == 1 && upgrade.errors.contains(wayOut), "\(upgrade.everything)")
                let json = try sandbox.orchestrate("status", "--json")
                #expect(json.status == 1)
                #expect(json.output.contains("\"phase\" : \"supervisor-broken\""), "\(json.output)")
                #expect(try sandbox.succeed("ls").contains("supervisor-broken"))
                #expect(sandbox.sidecars() == before)
                // Waits for the next attempt, after which nothing is broken any more.
                try sandbox.succeed("wait")
                // It tells of projects of other tests too.
                let all = try sandbox.orchestrate("doctor").output
                let own = try #require(all.firstRange(of: "project \(sandbox.manifest)"), "\(all)")
                let rest = all[own.upperBound...]
                let examined = rest.firstRange(of: "\nproject ").map { rest[..<$0.lowerBound] } ?? rest
                #expect(examined.contains("was started again") && !examined.contains("tried again"), "\(all)")
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        // MARK: wait, run

        @Test func `wait tells what was reached, what can't be, and what took too long`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"] }
                      once: { command: [sleep, "1000"], restart: on-failure }
                      good: { kind: task, shell: "exit 0" }
                      bad: { kind: task, shell: "exit 3" }
                    """)
                #expect(try sandbox.orchestrate("wait", "--for", "stopped").status == 0)
                #expect(try sandbox.orchestrate("wait").status == 5)
                _ = try sandbox.orchestrate("up", "-d")
                try sandbox.succeed("wait", "db", "--for", "healthy")
                try sandbox.succeed("wait", "good", "--for", "completed")
                let failed = try sandbox.orchestrate("wait", "bad", "--for", "completed")
                #expect(failed.status == 1)
                #expect(failed.everything.contains("exit 3"))
                #expect(try sandbox.orchestrate("wait", "once", "--for", "completed", "--timeout", "50ms").status == 6)
                let endless = try sandbox.orchestrate("wait", "db", "--for", "completed")
                #expect(endless.status == 1)
                #expect(endless.everything.contains("db does not complete"))
                #expect(try sandbox.orchestrate("wait", "nobody").status == 4)
                let waiting = try sandbox.start("wait", "db", "--for", "stopped")
                try sandbox.succeed("stop", "db")
                #expect(try waiting.end().status == 0)
                try sandbox.succeed("down")
            }
        }

        @Test(
            arguments: [("exit 0", 0), ("exit 9", 9), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
                as [(String, Int32)])
        func `run exits as its task did, also beside what runs`(end: String, code: Int32) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"] }
                      job: { kind: task, shell: "\(end)", depends_on: { db: started } }
                    """)
                try sandbox.succeed("up", "-d", "db")
                #expect(try sandbox.orchestrate("run", "job").status == code)
                #expect(try sandbox.orchestrate("run", "db").status == 1)
                #expect(try sandbox.orchestrate("run", "nobody").status == 4)
                try sandbox.succeed("down")
            }
        }

        // MARK: completion

        @Test func `bash completes commands, flags and values after sourcing the script`() throws {
            try Sandbox.run { sandbox in
                let script = """
                    source <("$1" completion bash)
                    complete -p orchestrate | grep -q -- '-F __orchestrate_anywhere orchestrate' || exit 1
                    ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
                      __orchestrate_anywhere orchestrate "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[@]}"; }
                    ask orchestrate sta
                    ask orchestrate down --rel
                    ask orchestrate completion z
                    ask orchestrate help sta
                    """
                let ended = try sandbox.start(
                    program: ["bash", "-c", script, "bash", "\(sandbox.programs)/orchestrate"]
                ).end()
                #expect(ended.output == "status start\n--release-ports\nzsh\nstatus start\n", "\(ended.everything)")
            }
        }

        // MARK: events

        @Test func `events -f ends with the project, and -n shows what was before`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                let events = try sandbox.start("events", "-f", "-n", "2")
                try events.prints("following")
                try sandbox.succeed("down")
                let ended = try events.end()
                #expect(ended.status == 0)
                let lines = ended.output.split(separator: "\n")
                #expect(lines.firstIndex { $0.contains("following") } == 2)
                #expect(lines.last?.contains("\"finished\"") == true)
                #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
            }
        }
    }
}
