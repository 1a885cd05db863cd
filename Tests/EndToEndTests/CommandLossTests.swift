import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Commands whose supervisor is killed while they wait for it: its successor is asked.
    @Suite
    struct CommandLossTests {
        /// Ends only when it is let: `stop` waits until then.
        private static let reluctant = """
              web: { shell: "trap '' TERM; while :; do sleep 1000 & wait; done", stop: { grace: 700ms } }
              other: { command: [sleep, "1000"] }
            """

        @Test func `restart and stop wait on when their supervisor is killed, and nothing is restarted twice`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.reluctant)
                try sandbox.succeed("up", "-d")
                let other = sandbox.sidecars("other")
                #expect(try Self.value("incarnation", of: "web", sandbox) == "1")
                let restart = try sandbox.start("restart", "web")
                try sandbox.eventually("web is on its way down") {
                    try Self.value("state", of: "web", sandbox) == "stopping"
                }
                try #require(sandbox.supervisor).kill()
                let restarted = try restart.end()
                #expect(restarted.status == 0, "\(restarted.errors)")
                // The second was the other's.
                #expect(try Self.value("incarnation", of: "web", sandbox) == "3")

                let stop = try sandbox.start("stop", "web")
                try sandbox.eventually("web is on its way down") {
                    try Self.value("state", of: "web", sandbox) == "stopping"
                }
                try #require(sandbox.supervisor).kill()
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
                try sandbox.declare("  web: { command: [sleep, \"1000\"] }")
                for round in 0..<max(4, rounds) {
                    // The fifth death within a minute would be waited for.
                    try sandbox.succeed("up", "-d")
                    let before = try Self.value("incarnation", of: "web", sandbox)
                    let restart = try sandbox.start("restart", "web")
                    sandbox.killSupervisor(afterMilliseconds: chance.next(below: 30))
                    let ended = try restart.end()
                    #expect(ended.status == 0, "round \(round): \(ended.errors)")
                    let after = try Self.value("incarnation", of: "web", sandbox)
                    #expect(Int(after ?? "") == Int(before ?? "").map { $0 + 1 }, "round \(round)")
                    try sandbox.succeed("down")
                }
            }
        }

        @Test func `run answers the code of its task when the supervisor is killed meanwhile`() throws {
            try Sandbox.run { sandbox in
                let gate = sandbox.directory + "/gate"
                #expect(mkfifo(gate, 0o600) == 0)
                try sandbox.declare(
                    """
                      quiet: { command: [sleep, "1000"] }
                      job: { kind: task, shell: "read word < \(gate); exit 7", restart: never }
                    """)
                try sandbox.succeed("up", "-d", "quiet")
                let run = try sandbox.start("run", "job")
                try sandbox.eventually("the task runs") { !sandbox.sidecars("job").isEmpty }
                try #require(sandbox.supervisor).kill()
                try File.write("go\n", to: gate)
                let ended = try run.end()
                #expect(ended.status == 7, "\(ended.errors)")
                try sandbox.succeed("down")
            }
        }

        @Test func `events -f misses no state change when the supervisor is killed`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.reluctant)
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
                let gate = sandbox.directory + "/gate"
                #expect(mkfifo(gate, 0o600) == 0)
                try sandbox.declare(
                    """
                      quiet: { command: [sleep, "1000"] }
                      job: { kind: task, shell: "read word < \(gate)", restart: never }
                    """)
                try sandbox.succeed("up", "-d", "quiet")
                let run = try sandbox.start("run", "job")
                try sandbox.eventually("the task runs") { !sandbox.sidecars("job").isEmpty }
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

        /// Of the state changes.
        private static func sequences(_ lines: String) -> [Int] {
            lines.split(separator: "\n").filter { $0.contains(#""kind":"transition""#) }.compactMap { line in
                line.split(separator: #""sequence":"#).last?.prefix { $0.isNumber }
            }.compactMap { Int($0) }
        }

        private static func value(_ key: String, of sidecar: String, _ sandbox: Sandbox) throws -> String? {
            let line = try sandbox.succeed("status", sidecar, "--json").split(separator: "\n")
                .first { $0.contains("\"\(key)\" :") }
            return line?.split(separator: ":").last.map { $0.filter { $0.isLetter || $0.isNumber } }
        }
    }
}
