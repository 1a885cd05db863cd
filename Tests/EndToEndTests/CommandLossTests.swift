import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Commands whose supervisor is killed while they wait for it: its successor is asked.
    @Suite
    struct CommandLossTests {
        private static let pair = """
              web: { command: [sleep, "1000"] }
              other: { command: [sleep, "1000"] }
            """

        @Test func `restart and stop wait on when their supervisor is killed, and nothing is restarted twice`() throws {
            try Sandbox.run { sandbox in
                // Ends only when it is let.
                try sandbox.declare(
                    """
                      web: { shell: "trap '' TERM; exec sleep 1000", stop: { grace: 60s } }
                      other: { command: [sleep, "1000"] }
                    """)
                try sandbox.succeed("up", "-d")
                let other = sandbox.sidecars("other")
                #expect(try Self.value("incarnation", of: "web", sandbox) == "1")
                let restart = try sandbox.start("restart", "web")
                try sandbox.eventually("web is on its way down") {
                    try Self.value("state", of: "web", sandbox) == "stopping"
                }
                try #require(sandbox.supervisor).kill()
                for process in sandbox.sidecars("web") { process.kill() }
                let restarted = try restart.end()
                #expect(restarted.status == 0, "\(restarted.errors)")
                // The second was the other's.
                #expect(try Self.value("incarnation", of: "web", sandbox) == "3")

                let stop = try sandbox.start("stop", "web")
                try sandbox.eventually("web is on its way down") {
                    try Self.value("state", of: "web", sandbox) == "stopping"
                }
                try #require(sandbox.supervisor).kill()
                for process in sandbox.sidecars("web") { process.kill() }
                let stopped = try stop.end()
                #expect(stopped.status == 0, "\(stopped.errors)")
                #expect(sandbox.sidecars("web").isEmpty)
                #expect(sandbox.sidecars("other") == other)
                try sandbox.succeed("down")
            }
        }

        @Test func `a restart whose supervisor is killed at any instant restarts once`() throws {
            var chance = Chance(seed: UInt64(getpid()))
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { shell: \"echo life >>lives; exec sleep 1000\" }")
                for round in 0..<max(4, rounds) {
                    // For a new keeper every time: from the second death within a minute on, one waits.
                    try sandbox.succeed("up", "-d")
                    let restart = try sandbox.start("restart", "web")
                    sandbox.killSupervisor(afterMilliseconds: chance.next(below: 30))
                    let ended = try restart.end()
                    #expect(ended.status == 0, "round \(round): \(ended.errors)")
                    try sandbox.succeed("down")
                    // One of `up`, one of `restart`. Not by incarnations: one may be decided on and never spawned.
                    let lives = File.text("\(sandbox.directory)/lives").split(separator: "\n").count
                    #expect(lives == 2 * (round + 1), "round \(round)")
                }
            }
        }

        @Test func `run answers the code of its task when the supervisor is killed meanwhile`() throws {
            try Sandbox.run { sandbox in
                let gate = Gate("gate", in: sandbox)
                let run = try Self.runAtGate(sandbox)
                try #require(sandbox.supervisor).kill()
                gate.open()
                let ended = try run.end()
                #expect(ended.status == 7, "\(ended.errors)")
                try sandbox.succeed("down")
            }
        }

        @Test func `events -f misses no state change when the supervisor is killed`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.pair)
                try sandbox.succeed("up", "-d")
                let events = try sandbox.start("events", "-f")
                try events.prints("following")
                try #require(sandbox.supervisor).kill()
                try sandbox.succeed("restart", "other")
                try sandbox.succeed("down")
                let followed = try events.end()
                #expect(followed.status == 0, "\(followed.errors)")
                let sequences = Self.sequences(followed.output)
                let journal = Self.sequences(try sandbox.succeed("events"))
                let first = try #require(sequences.first)
                #expect(sequences.count > 4)
                #expect(sequences == journal.filter { $0 >= first })
                #expect(followed.output.contains(#""kind":"finished""#))
            }
        }

        @Test func `who waits for a project that is taken down ends with it, and starts nothing anew`() throws {
            try Sandbox.run { sandbox in
                // Never opened.
                let gate = Gate("gate", in: sandbox)
                defer { withExtendedLifetime(gate) {} }
                let run = try Self.runAtGate(sandbox)
                let watch = try sandbox.start("status", "--watch", "--json")
                try watch.prints("quiet")
                let events = try sandbox.start("events", "-f")
                try events.prints("following")
                let wait = try sandbox.start("wait", "quiet", "--for", "stopped")
                let supervision = [sandbox.keeper, sandbox.supervisor]
                try sandbox.succeed("down")
                #expect(try watch.end().status == 0)
                #expect(try events.end().status == 0)
                #expect(try wait.end().status == 0)
                // Its task's code, where it is told before the project is down.
                let ran = try run.end()
                #expect([1, 128 + SIGTERM].contains(ran.status), "\(ran.everything)")
                let left = Set([sandbox.keeper, sandbox.supervisor].compactMap(\.self))
                #expect(left.isSubset(of: supervision.compactMap(\.self)))
            }
        }

        /// A `run` of a task that waits at the gate and then exits with 7, beside one that has nothing to do with it.
        private static func runAtGate(_ sandbox: Sandbox) throws -> Program {
            try sandbox.declare(
                """
                  quiet: { command: [sleep, "1000"] }
                  job: { kind: task, shell: ": < \(sandbox.directory)/gate; exit 7", restart: never }
                """)
            try sandbox.succeed("up", "-d", "quiet")
            let run = try sandbox.start("run", "job")
            try sandbox.eventually("the task runs") { !sandbox.sidecars("job").isEmpty }
            return run
        }

        /// Of the state changes.
        private static func sequences(_ lines: String) -> [Int] {
            lines.split(separator: "\n").filter { $0.field("kind") == "transition" }.compactMap {
                $0.number("sequence")
            }
        }

        private static func value(_ key: String, of sidecar: String, _ sandbox: Sandbox) throws -> String? {
            let line = try sandbox.succeed("status", sidecar, "--json").split(separator: "\n")
                .first { $0.contains("\"\(key)\" :") }
            return line?.split(separator: ":").last.map { $0.filter { $0.isLetter || $0.isNumber } }
        }
    }
}
