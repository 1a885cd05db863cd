import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// A supervisor that lives and does not answer, as one that was stopped, or waits for a disk.
    @Suite
    struct SilenceTests {
        private static let manifest = """
              web: { command: [sleep, "1000"] }
              job: { kind: task, command: ["true"] }
            """

        /// Runs `body` while the supervisor of a project that is up is stopped; it goes on whatever becomes of that.
        private static func whileStopped(_ body: (Sandbox, SeenProcess) throws -> Void) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(manifest)
                try sandbox.succeed("up", "-d")
                let supervisor = try #require(sandbox.supervisor)
                supervisor.signal(SIGSTOP)
                defer { supervisor.signal(SIGCONT) }
                try body(sandbox, supervisor)
                supervisor.signal(SIGCONT)
                try sandbox.succeed("down")
            }
        }

        @Test func `a command gives up at its timeout, and says who does not answer and what helps`() throws {
            try Self.whileStopped { sandbox, supervisor in
                let before = sandbox.sidecars("web")
                let commands = [
                    ["up", "-d"], ["up"], ["up", "-d", "web"], ["wait", "web"], ["start", "web"], ["restart", "web"],
                    ["stop", "web"], ["run", "job"],
                ]
                for command in commands {
                    // Half a minute is what they wait for an answer otherwise.
                    let ended = try sandbox.start(command + ["--timeout", "300ms"]).end(within: 20)
                    #expect(ended.status == 6, "\(command): \(ended.everything)")
                    for part in ["pid \(supervisor.pid)", "stopped (state T)", "kill -CONT \(supervisor.pid)"] {
                        #expect(ended.errors.contains(part), "\(command): \(ended.errors)")
                    }
                }
                #expect(sandbox.sidecars("web") == before)
            }
        }

        @Test func `a wait that had begun says at its end that the supervisor is stopped`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"], health: { exec: [\"false\"] } }")
                try sandbox.succeed("up", "-d", "--no-wait")
                let supervisor = try #require(sandbox.supervisor)
                let wait = try sandbox.start("wait", "web", "--timeout", "3s")
                let up = try sandbox.start("up", "--timeout", "3s")
                try up.prints("attached to a project that is up")
                supervisor.signal(SIGSTOP)
                defer { supervisor.signal(SIGCONT) }
                for command in [wait, up] {
                    let ended = try command.end(within: 20)
                    #expect(ended.status == 6, "\(ended.everything)")
                    #expect(ended.errors.contains("kill -CONT \(supervisor.pid)"), "\(ended.errors)")
                }
                supervisor.signal(SIGCONT)
                try sandbox.succeed("down")
            }
        }

        @Test func `up says once that nobody answers, and goes on when somebody does`() throws {
            try Self.whileStopped { sandbox, supervisor in
                let up = try sandbox.start("up", "-d")
                try up.prints("still waiting: the supervisor with pid \(supervisor.pid) has not answered")
                supervisor.signal(SIGCONT)
                let ended = try up.end()
                #expect(ended.status == 0, "\(ended.everything)")
                let lines = ended.errors.split(separator: "\n")
                #expect(lines.count { $0.hasPrefix("still waiting") } == 1, "\(ended.errors)")
            }
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func `a signal ends the wait for an answer`(signal: Int32) throws {
            try Self.whileStopped { sandbox, supervisor in
                let wait = try sandbox.start("wait", "web")
                let up = try sandbox.start("up", "-d")
                // It would do something for the signal, if somebody answered.
                try up.prints("still waiting")
                for command in [wait, up] { command.signal(signal) }
                for command in [wait, up] {
                    let ended = try command.end(within: 20)
                    #expect(ended.status == 130, "\(ended.everything)")
                    #expect(ended.errors.contains("interrupted; the supervisor with pid \(supervisor.pid)"))
                }
            }
        }

        @Test func `what waits for a process while the keeper is stopped names it`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.manifest)
                try sandbox.succeed("up", "-d")
                let keeper = try #require(sandbox.keeper)
                keeper.signal(SIGSTOP)
                defer { keeper.signal(SIGCONT) }
                let named = ["the keeper with pid \(keeper.pid)", "stopped (state T)", "kill -CONT \(keeper.pid)"]
                let stop = try sandbox.orchestrate("stop", "web", "--timeout", "300ms")
                #expect(stop.status == 6)
                for part in named { #expect(stop.errors.contains(part), "\(stop.errors)") }
                let status = try sandbox.succeed("status")
                for part in named { #expect(status.contains(part), "\(status)") }
                let doctor = try sandbox.orchestrate("doctor")
                #expect(doctor.output.contains("pid \(keeper.pid) is stopped"), "\(doctor.everything)")
                #expect(doctor.output.contains("kill -CONT \(keeper.pid)"), "\(doctor.everything)")
                let down = try sandbox.start("down")
                try down.prints("still waiting: the keeper with pid \(keeper.pid) does nothing")
                keeper.signal(SIGCONT)
                #expect(try down.end().status == 0)
            }
        }

        @Test func `a stopped keeper is named where its supervisor is gone`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.manifest)
                try sandbox.succeed("up", "-d")
                let keeper = try #require(sandbox.keeper)
                let supervisor = try #require(sandbox.supervisor)
                keeper.signal(SIGSTOP)
                defer { keeper.signal(SIGCONT) }
                supervisor.kill()
                // Nobody takes it up: what is left of it is no supervisor.
                try sandbox.eventually("the supervisor is gone") { sandbox.supervisor?.pid != supervisor.pid }
                let commands = [
                    ["up", "-d"], ["down"], ["status"], ["stop", "web"], ["restart", "web", "--timeout", "1s"],
                ]
                for running in try commands.map({ try sandbox.start($0) }) {
                    let ended = try running.end(within: 40)
                    #expect(ended.status == 6, "\(ended.everything)")
                    #expect(ended.errors.contains("the keeper with pid \(keeper.pid)"), "\(ended.errors)")
                    #expect(ended.errors.contains("kill -CONT \(keeper.pid)"), "\(ended.errors)")
                }
                let doctor = try sandbox.orchestrate("doctor")
                #expect(doctor.output.contains("kill -CONT \(keeper.pid)"), "\(doctor.everything)")
                let list = try sandbox.orchestrate("ls")
                #expect(list.output.contains("supervisor-silent"), "\(list.output)")
                #expect(list.errors.contains("kill -CONT \(keeper.pid)"), "\(list.errors)")
                keeper.signal(SIGCONT)
                try sandbox.succeed("down")
            }
        }

        @Test func `ls tells a supervisor that does not answer from none`() throws {
            try Self.whileStopped { sandbox, supervisor in
                let ended = try sandbox.orchestrate("ls")
                #expect(ended.status == 0)
                #expect(ended.output.contains("supervisor-silent"), "\(ended.output)")
                #expect(ended.errors.contains("the supervisor with pid \(supervisor.pid)"), "\(ended.errors)")
            }
        }

        @Test func `doctor says of a supervisor that is stopped what every command says`() throws {
            try Self.whileStopped { sandbox, supervisor in
                let ended = try sandbox.start("doctor").end(within: 30)
                #expect(ended.status == 1)
                for part in ["pid \(supervisor.pid) has not", "stopped (state T)", "→ 'kill -CONT \(supervisor.pid)'"] {
                    #expect(ended.output.contains(part), "\(ended.output)")
                }
            }
        }

        @Test func `a supervisor with all the clients it takes is said to live, and who they are`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.manifest)
                try sandbox.succeed("up", "-d")
                let socket = try #require(sandbox.stateDirectory) + "/control.sock"
                let clients = try (0..<512).map { _ in try StreamClient(socket) }
                let holder = "512 of them are the process with pid \(getpid())"
                for _ in 0..<50 {
                    let refused = try sandbox.orchestrate("status")
                    #expect(refused.status == 7 && refused.errors.contains(holder), "\(refused.everything)")
                }
                let list = try sandbox.orchestrate("ls")
                #expect(list.output.contains("supervisor-full") && list.errors.contains(holder), "\(list.everything)")
                let doctor = try sandbox.orchestrate("doctor")
                #expect(doctor.output.contains(holder), "\(doctor.everything)")
                for client in clients { client.hangUp() }
                try sandbox.succeed("down")
            }
        }
    }
}
