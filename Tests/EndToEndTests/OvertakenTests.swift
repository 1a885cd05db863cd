import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Commands that wait for something, while somebody else asks for the opposite.
    @Suite
    struct OvertakenTests {
        private func state(of name: String, in sandbox: Sandbox) throws -> String {
            let line = try sandbox.succeed("status").split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            return line.map { String($0.split(separator: " ")[1]) } ?? "-"
        }

        @Test(arguments: ["start", "restart", "up"])
        func `a stop that is overtaken says so`(other: String) throws {
            try Sandbox.run { sandbox in
                let gate = Gate("gate", in: sandbox)
                try sandbox.declare(
                    """
                      web:
                        shell: "trap ': <gate; exit 0' TERM; echo up; sleep 1000 & wait"
                        health: { log: up }
                        stop: { grace: 60s }
                    """)
                try sandbox.succeed("up", "-d")
                let stop = try sandbox.start("stop", "web")
                try sandbox.eventually("web is stopping") { try state(of: "web", in: sandbox) == "stopping" }
                let overtaking = try sandbox.start(other == "up" ? ["up", "-d"] : [other, "web"])
                try sandbox.eventually("it is wanted again") {
                    try sandbox.succeed("status", "--json").contains("\"wanted\" : true")
                }
                gate.open()
                let ended = try stop.end()
                #expect(ended.status == 1, "\(ended.everything)")
                #expect(ended.errors.contains("not stopped: web, as somebody has started it again meanwhile"))
                #expect(try overtaking.end().status == 0)
                try sandbox.succeed("down")
            }
        }

        @Test func `a stop of several that is overtaken says which of them`() throws {
            try Sandbox.run { sandbox in
                let gate = Gate("gate", in: sandbox)
                let stubborn = "shell: \"trap ': <gate; exit 0' TERM; echo up; sleep 1000 & wait\", health: { log: up }"
                try sandbox.declare(
                    """
                      db: { \(stubborn), stop: { grace: 60s } }
                      web: { \(stubborn), stop: { grace: 60s }, depends_on: [db] }
                    """)
                try sandbox.succeed("up", "-d")
                let stop = try sandbox.start("stop", "db", "--cascade")
                try sandbox.eventually("web is stopping") { try state(of: "web", in: sandbox) == "stopping" }
                try sandbox.succeed("start", "web", "--no-wait")
                gate.open()
                let ended = try stop.end()
                #expect(ended.status == 1, "\(ended.everything)")
                #expect(ended.errors.contains("not stopped: db, web, as somebody has started them again meanwhile"))
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: ["restart", "start"])
        func `what waits for health of several says that the project was taken down`(command: String) throws {
            try Sandbox.run { sandbox in
                let gate = Gate("gate", in: sandbox)
                try sandbox.declare(
                    """
                      a: { command: [sleep, "1000"], health: { file: ready } }
                      b: { command: [sleep, "1000"], health: { file: ready } }
                      late: { shell: "trap ': <gate; exit 0' TERM; echo up; sleep 1000 & wait", health: { log: up }, stop: { grace: 60s } }
                    """)
                try sandbox.succeed("up", "-d", "late")
                let waiting = try sandbox.start(command, "a", "b")
                try sandbox.eventually("both are being started") {
                    try state(of: "a", in: sandbox) == "starting" && state(of: "b", in: sandbox) == "starting"
                }
                let down = try sandbox.start("down")
                let ended = try waiting.end()
                #expect(ended.status == 1, "\(ended.everything)")
                #expect(ended.errors == "orchestrate: the project was taken down meanwhile\n", "\(ended.everything)")
                gate.open()
                #expect(try down.end().status == 0)
            }
        }

        @Test(arguments: [["start", "web"], ["restart", "web"], ["wait", "web"]])
        func `what waits for health ends when somebody stops that`(command: [String]) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"], health: { file: ready } }
                      other: { command: [sleep, "1000"] }
                    """)
                try sandbox.succeed("up", "-d", "other")
                if command[0] == "wait" { try sandbox.succeed("start", "web", "--no-wait") }
                let waiting = try sandbox.start(command)
                try sandbox.eventually("web is being started") { try state(of: "web", in: sandbox) == "starting" }
                try sandbox.succeed("stop", "web")
                let ended = try waiting.end()
                #expect(ended.status == 1, "\(ended.everything)")
                try sandbox.succeed("down")
            }
        }

        /// Which of them comes first is the machine's to say: in some of the rounds the project is gone between the answer
        /// to one of them and its next question.
        @Test func `beside a down, up does not call the project lost and status shows what was known`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  web: { command: [sleep, \"1000\"], start: { settle: 100ms } }")
                for _ in 0..<12 {
                    try sandbox.succeed("up", "-d")
                    let up = try sandbox.start("up", "-d")
                    let down = try sandbox.start("down")
                    let status = try sandbox.start("status", "--json")
                    let ended = try up.end()
                    #expect([0, 7].contains(ended.status), "\(ended.everything)")
                    #expect(!ended.errors.contains("was lost"), "\(ended.errors)")
                    let shown = try status.end()
                    #expect([0, 5].contains(shown.status), "\(shown.everything)")
                    #expect(shown.output.contains("\"sidecars\""), "\(shown.everything)")
                    _ = try down.end()
                }
                try sandbox.succeed("down")
            }
        }

        @Test func `a stop of what has completed is done, and nobody has overtaken it`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"] }
                      migrate: { kind: task, command: ["true"] }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("stop", "migrate")
                try sandbox.succeed("stop", "web", "migrate")
                #expect(sandbox.sidecars().isEmpty)
                try sandbox.succeed("down")
            }
        }

        @Test func `run ends when somebody stops the task, and waits for one that runs already`() throws {
            try Sandbox.run { sandbox in
                let gate = Gate("gate", in: sandbox)
                try sandbox.declare(
                    """
                      other: { command: [sleep, "1000"] }
                      held: { kind: task, command: [sleep, "1000"] }
                      task: { kind: task, shell: ": <gate; exit 3" }
                    """)
                try sandbox.succeed("up", "-d", "other")
                let held = try sandbox.start("run", "held")
                try sandbox.eventually("it runs") { !sandbox.sidecars("held").isEmpty }
                try sandbox.succeed("stop", "held")
                let stopped = try held.end()
                #expect(stopped.status == 143 || stopped.status == 1, "\(stopped.everything)")

                let first = try sandbox.start("run", "task")
                try sandbox.eventually("it runs") { !sandbox.sidecars("task").isEmpty }
                let second = try sandbox.start("run", "task")
                try sandbox.succeed("status")
                gate.open()
                #expect(try first.end().status == 3)
                #expect(try second.end().status == 3)
                try sandbox.succeed("down")
            }
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func `an up whose terminal nobody reads still obeys`(signal: Int32) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  loud: { shell: \"exec yes\", start: { settle: 0 } }")
                let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
                defer { close(master) }
                // TIOCSPTLCK, TIOCGPTN: what unlockpt and ptsname do.
                var (lock, number): (Int32, Int32) = (0, -1)
                try #require(ioctl(master, 0x4004_5431, &lock) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
                let path = "/dev/pts/\(number)"
                let up = try sandbox.start(
                    program: ["sh", "-c", "exec \"$0\" up >\(path)", "\(sandbox.programs)/orchestrate"])
                try sandbox.eventually("it runs") { !sandbox.sidecars("loud").isEmpty }
                try sandbox.eventually("it writes") {
                    var ready = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
                    return poll(&ready, 1, 0) == 1
                }
                up.signal(signal)
                #expect(try up.end(within: 20).status == 130)
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
        func `an up whose output nobody reads still obeys`(signal: Int32) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  loud: { shell: \"exec yes\", start: { settle: 0 } }")
                var ends: [Int32] = [-1, -1]
                try #require(pipe(&ends) == 0)
                for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
                defer { close(ends[0]) }
                // Full before anything is printed.
                _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
                let filling = [UInt8](repeating: 10, count: 4096)
                while write(ends[1], filling, filling.count) > 0 {}
                _ = fcntl(ends[1], F_SETFL, 0)
                let path = "/proc/\(getpid())/fd/\(ends[1])"
                let up = try sandbox.start(
                    program: ["sh", "-c", "exec \"$0\" up >\(path)", "\(sandbox.programs)/orchestrate"])
                try sandbox.eventually("it runs") { !sandbox.sidecars("loud").isEmpty }
                close(ends[1])
                up.signal(signal)
                #expect(try up.end(within: 20).status == 130)
                #expect(sandbox.sidecars().isEmpty)
            }
        }
    }
}
