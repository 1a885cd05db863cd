import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// `kill -9` of the parts of the supervision, counted from outside by (pid, start time).
    @Suite
    struct SurvivalTests {
        private static let counting = """
              counter: { command: \(Counter.paced) }
              quiet: { command: [sleep, "1000"], replicas: 3 }
            """

        @Test func `the keeper holds the ends of the logs once, however many supervisors there were`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      one: { command: [sleep, "1000"] }
                      two: { command: [sleep, "1000"] }
                    """)
                try sandbox.succeed("up", "-d")
                let keeper = try #require(sandbox.keeper)
                let held = {
                    Directory.entries("/proc/\(keeper.pid)/fd").map { ProcessTable.file("fd/\($0)", of: keeper.pid) }
                        .filter { $0.hasSuffix(".0.out") || $0.hasSuffix(".0.err") }.count
                }
                try sandbox.eventually("it holds two of each") { held() == 4 }
                for _ in 0..<3 {
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("it is back") { sandbox.supervisor.map { $0 != supervisor } ?? false }
                    try sandbox.succeed("status")
                }
                try sandbox.eventually("it holds as many as before") { held() == 4 }
                try sandbox.succeed("down")
            }
        }

        @Test func `a killed supervisor comes back to the same sidecars`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.counting)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("4 run") { sandbox.sidecars().count == 4 }
                let before = sandbox.sidecars()
                #expect(before.count == 4)
                for _ in 0..<min(rounds, 4) {
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("the keeper starts it again") {
                        sandbox.supervisor.map { $0 != supervisor } ?? false
                    }
                    try sandbox.succeed("status")
                    #expect(sandbox.sidecars() == before)
                }
                let log = try sandbox.succeed("logs", "counter", "-n", "1000000")
                expectNoneLost(log)
                try sandbox.succeed("down")
            }
        }

        @Test func `no thread that spawns hands copies of a held port to a child`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"], replicas: 8, ports: { http: auto } }")
                try sandbox.succeed("up", "-d")
                let supervisor = try #require(sandbox.supervisor)
                // Two threads, and three places of each to put a child's descriptors on: without them a child begins
                // with all that the supervisor has open, the sockets that hold other sidecars' ports among it.
                let places = Directory.entries("/proc/\(supervisor.pid)/fd").compactMap { Int($0) }.filter { number in
                    (3..<64).contains(number) && ProcessTable.file("fd/\(number)", of: supervisor.pid) == "/dev/null"
                }
                #expect(places.count >= 6)
                try sandbox.succeed("down")
            }
        }

        @Test func `after the loss of the keeper, status says so until all that it had started was restarted`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      one: { command: [sleep, "1000"] }
                      two: { command: [sleep, "1000"] }
                    """)
                let plain = ["ORCHESTRATE_CONTAINMENT": "session"]
                #expect(try sandbox.start(["up", "-d"], environment: plain).end().status == 0)
                #expect(try sandbox.succeed("status").contains("containment keeper (as asked for)"))
                let keeper = try #require(sandbox.keeper)
                keeper.kill()
                try sandbox.eventually("it is replaced") {
                    sandbox.keeper.map { $0 != keeper } ?? false && sandbox.supervisor != nil
                }
                let lesser = "containment session (the keeper was lost: what it had started is found by"
                #expect(try sandbox.succeed("status").contains(lesser))
                #expect(try sandbox.succeed("status", "--json").contains(#""session""#))
                #expect(try sandbox.orchestrate("doctor").output.contains(lesser))
                try sandbox.succeed("restart", "one")
                #expect(try sandbox.succeed("status").contains(lesser))
                try sandbox.succeed("restart", "two")
                #expect(try sandbox.succeed("status").contains("containment keeper (as asked for)"))
                try sandbox.succeed("down")
            }
        }

        @Test func `when keeper and supervisor are both lost the next command adopts what lives`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.counting)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("4 run") { sandbox.sidecars().count == 4 }
                let before = sandbox.sidecars()
                try sandbox.killSupervision()
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("up", "-d")
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `down without keeper and supervisor ends what lives`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.counting)
                try sandbox.succeed("up", "-d")
                try sandbox.killSupervision()
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `a supervisor killed in the middle of up, down and restart ends what it began`() throws {
            var chance = Chance(seed: UInt64(getpid()))
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.counting)
                    let up = try sandbox.start("up", "-d", "--timeout", "30s")
                    sandbox.killSupervisor(afterMilliseconds: chance.next(below: 120))
                    _ = try up.end()
                    try sandbox.succeed("up", "-d")
                    try sandbox.eventually("4 run") { sandbox.sidecars().count == 4 }

                    let restart = try sandbox.start("restart", "counter", "quiet")
                    sandbox.killSupervisor(afterMilliseconds: chance.next(below: 60))
                    _ = try restart.end()
                    try sandbox.succeed("up", "-d")
                    try sandbox.eventually("4 run") { sandbox.sidecars().count == 4 }

                    let down = try sandbox.start("down")
                    sandbox.killSupervisor(afterMilliseconds: chance.next(below: 60))
                    _ = try down.end()
                    try sandbox.succeed("down")
                    #expect(sandbox.sidecars().isEmpty, "round \(round)")
                }
            }
        }

        @Test func `a supervisor that dies before it says who it is is followed by another`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  quiet: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                let state = try #require(sandbox.stateDirectory)
                // Takes one connection, and is gone.
                let dying = try sandbox.start(
                    program: [
                        "python3", "-uc",
                        """
                        import os, socket
                        os.chdir("\(state)")
                        listener = socket.socket(socket.AF_UNIX)
                        listener.bind("control.sock")
                        listener.listen()
                        print("listening")
                        peer, _ = listener.accept()
                        listener.close()
                        peer.close()
                        """,
                    ])
                try dying.prints("listening")
                try sandbox.succeed("up", "-d")
                #expect(try dying.end().status == 0)
                #expect(sandbox.sidecars().count == 1)
                try sandbox.succeed("down")
            }
        }

        @Test func `a foreground client killed at any instant takes all with it`() throws {
            var chance = Chance(seed: UInt64(getpid()))
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.counting)
                    let client = try sandbox.start("up")
                    poll(nil, 0, Int32(chance.next(below: 300)))
                    client.signal(SIGKILL)
                    _ = try client.end()
                    try sandbox.eventually("nothing runs, round \(round)") { sandbox.processes.isEmpty }
                }
            }
        }
    }
}

extension Sandbox {
    func killSupervisor(afterMilliseconds delay: Int) {
        poll(nil, 0, Int32(delay))
        supervisor?.kill()
    }
}

/// Within one life the numbers go up by one; a line may come twice where the supervisor was killed.
func expectNoneLost(_ log: String) {
    var last: Int?
    var lines = 0
    for line in log.split(separator: "\n") {
        guard let position = line.firstRange(of: "line "), let number = Int(line[position.upperBound...]) else {
            continue
        }
        lines += 1
        if let last, number > last + 1 { Issue.record("lines \(last + 1)…\(number - 1) are lost") }
        last = number
    }
    #expect(lines > 10)
}
