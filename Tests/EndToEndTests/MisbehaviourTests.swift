import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Sidecars that do what a supervisor would rather they did not. Stopped means empty, whatever they do.
    @Suite
    struct MisbehaviourTests {
        /// Each runs until it is stopped, and then tries to leave something behind.
        static let misbehaving: [String: String] = [
            "a double fork into a new session": "setsid -f sleep 1000; exec sleep 1000",
            "a descendant in the background": "sleep 1000 & exec sleep 1000",
            "a leader deaf to SIGTERM": "trap '' TERM; while :; do sleep 1000; done",
            "descendants deaf to SIGTERM": "(trap '' TERM; while :; do sleep 1000; done) & exec sleep 1000",
            "a deaf one in a session of its own":
                "setsid -f sh -c \"trap '' TERM; while :; do sleep 1000; done\"; exec sleep 1000",
            "one that clears its environment":
                "setsid -f env -i ORCHESTRATE_E2E=$ORCHESTRATE_E2E sleep 1000; exec sleep 1000",
        ]

        @Test(arguments: misbehaving.keys.sorted())
        func `stopped means empty`(how: String) throws {
            let script = try #require(Self.misbehaving[how])
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      odd:
                        shell: |
                          echo up
                          \(script)
                        stop: { grace: 500ms }
                        health: { log: ^up }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it has done its worst") { sandbox.sidecars().count >= expectedAtLeast(script) }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        private func expectedAtLeast(_ script: String) -> Int {
            script.contains("setsid") || script.contains("&") ? 2 : 1
        }

        @Test func `a leader that ends by itself takes its descendants along before its successor starts`() throws {
            try Sandbox.run { sandbox in
                // Each life leaves a process in its session, one outside, and one that holds its output.
                try sandbox.declare(
                    """
                      crashing:
                        shell: |
                          setsid -f sleep 1000
                          sleep 1000 >/dev/null 2>&1 &
                          sleep 1000 &
                          echo "started $$"
                          if [ ! -e crashed ]; then touch crashed; exit 1; fi
                          exec sleep 2000
                    """)
                _ = try sandbox.orchestrate("up", "-d")
                try sandbox.eventually("the successor runs") {
                    sandbox.sidecars("crashing").contains { $0.arguments == ["sleep", "2000"] }
                }
                // The successor's leader and its three; nothing of the life before.
                try sandbox.eventually("four are left") { sandbox.sidecars("crashing").count == 4 }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        /// A real-time program may set the limit whose highest value is our mark.
        @Test func `without cgroups too, what has neither mark nor session of its sidecar ends with that`() throws {
            try Sandbox.run { sandbox in
                let hide = "prlimit --rttime=200000:200000 setsid -f"
                try sandbox.declare(
                    """
                      named:
                        shell: "\(hide) sleep 1001; exec sleep 1000"
                        health: { readiness: { exec: [sh, -c, "echo >>checks"], period: 50ms } }
                      bare:
                        shell: "\(hide) env -i ORCHESTRATE_E2E=$ORCHESTRATE_E2E sleep 1002; exec sleep 1000"
                    """)
                let up = try sandbox.start(["up", "-d"], environment: ["ORCHESTRATE_CONTAINMENT": "session"]).end()
                #expect(up.status == 0, "\(up.everything)")
                func hidden(_ seconds: String) -> [SeenProcess] {
                    sandbox.sidecars().filter { $0.arguments == ["sleep", seconds] }
                }
                try sandbox.eventually("both hide") { hidden("1001").count == 1 && hidden("1002").count == 1 }
                let before = hidden("1001")
                // What a check leaves behind is ended with it; this is the sidecar's.
                let checks = { File.text("\(sandbox.directory)/checks").utf8.count }
                let first = checks()
                try sandbox.eventually("it is checked again and again") { checks() > first + 3 }
                #expect(hidden("1001") == before)
                // The one that has not exec'ed yet is the shell's.
                try sandbox.eventually("the leader is there") {
                    sandbox.sidecars("named").contains { $0.arguments == ["sleep", "1000"] }
                }
                sandbox.sidecars("named").first { $0.arguments == ["sleep", "1000"] }?.kill()
                try sandbox.eventually("the next life hides one") {
                    hidden("1001").count == 1 && hidden("1001") != before
                }
                try sandbox.succeed("stop", "named")
                #expect(hidden("1001").isEmpty)
                #expect(hidden("1002").count == 1)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `kill -9 of a sidecar brings a successor and never two`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      one:
                        command: [sleep, "1000"]
                        restart: { delay: 0s, max_attempts: 0 }
                    """)
                try sandbox.succeed("up", "-d")
                for _ in 0..<rounds {
                    try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                    let before = try #require(sandbox.sidecars("one").first)
                    before.kill()
                    try sandbox.eventually("a successor runs") {
                        let now = sandbox.sidecars("one")
                        #expect(now.count <= 1)
                        return now.count == 1 && now.first != before
                    }
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `hundreds of starts that fail leave no word in the log and hold up nothing`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      late: { command: [./late], restart: { delay: 0s, max_attempts: 0 } }
                    """)
                try sandbox.succeed("up", "-d", "--no-wait")
                try sandbox.eventually("it was tried often") {
                    let restarts = try sandbox.succeed("status", "--json").firstMatch(of: /"restarts_total" : ([0-9]+)/)
                    return restarts.flatMap { Int($0.1) } ?? 0 > 600
                }
                // Whole at once: half a script would be a start that works.
                let file = sandbox.directory + "/late"
                try File.write("#!/bin/sh\necho hello\nexec sleep 1000\n", to: file + ".new", mode: 0o755)
                rename(file + ".new", file)
                try sandbox.eventually("it is there") { try sandbox.succeed("logs", "late").contains("hello") }
                let state = try #require(sandbox.stateDirectory)
                let log = File.text(state + "/logs/late.0.log")
                #expect(log.split(separator: "\n").map { $0.contains(" started") } == [true, false])
                try sandbox.succeed("down")
            }
        }

        @Test func `nothing outside the project is signalled`() throws {
            try Sandbox.run { sandbox in
                // Ours by name and arguments, but not by birth.
                let bystander = try Program(
                    ["sleep", "1000"], directory: sandbox.directory,
                    environment: ["PATH": "/usr/bin:/bin", "SIDECAR": "one"])
                defer {
                    bystander.signal(SIGKILL)
                    _ = try? bystander.end()
                }
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                #expect(ProcessTable.process(bystander.pid) != nil)
            }
        }
    }
}
