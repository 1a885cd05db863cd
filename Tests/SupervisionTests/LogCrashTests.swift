import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

struct LogCrashTests {
    private let db = LogInstance(sidecar: "db", replica: 0)

    /// What a supervisor does that is killed after its first so many written lines.
    private static func pumpUntilKilled(_ directory: String, after size: Int, compressing: Bool) throws {
        var spec = LogSpec()
        spec.compress = compressing
        spec.maxSize = ByteCount(bytes: 200_000)
        spec.maxFiles = 1000
        let pump = try LogPump(stateDirectory: directory) { _ in }
        let db = LogInstance(sidecar: "db", replica: 0)
        _ = try pump.adopt(db, incarnation: Incarnation(1), spec: spec)
        var facts = stat()
        var total = 0
        while total < size {
            stat(directory + "/logs/db.0.log", &facts)
            total = Int(facts.st_size) + (try Directory.names(in: directory + "/logs").count - 1) * 200_000
        }
        kill(getpid(), SIGKILL)
        pump.stop()
    }

    @Test(arguments: [false, true])
    func `killed at any instant, the reader loses no line, tears none, and counts those that repeat`(
        compressing: Bool
    ) async throws {
        let directory = TemporaryDirectory()
        let path = directory.path
        try Directory.create(path + "/fifo")
        mkfifo(path + "/fifo/db.0.out", 0o600)
        mkfifo(path + "/fifo/db.0.err", 0o600)
        // What the keeper holds while no supervisor lives.
        let held = open(path + "/fifo/db.0.out", O_RDWR | O_CLOEXEC)
        let count = 60_000
        let sidecar = TestThread {
            for number in 0..<count { write("line \(number) of a sidecar that goes on whatever happens\n", to: held) }
        }
        for round in 1...8 {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [path = path as String, size = round * 500_000 as Int, compressing = compressing as Bool] in
                try LogCrashTests.pumpUntilKilled(path, after: size, compressing: compressing)
            }
        }
        let bench = try PumpBench(in: directory)
        var spec = LogSpec()
        spec.compress = compressing
        spec.maxSize = ByteCount(bytes: 200_000)
        spec.maxFiles = 1000
        _ = try bench.pump.adopt(db, incarnation: Incarnation(1), spec: spec)
        sidecar.join()
        close(held)
        try bench.drain(db)
        var seen = Set<Int>()
        var torn: [String] = []
        var repeated = 0
        var inOrder = true
        var next = 0
        var counted = 0
        for line in try bench.allLines(db) {
            if line.stream == .system {
                counted += line.string.split(separator: " ").compactMap { Int($0) }.reduce(0, +)
                continue
            }
            let words = line.string.split(separator: " ")
            guard words.count == 10, let number = Int(words[1]) else {
                torn.append(line.string)
                continue
            }
            if !seen.insert(number).inserted { repeated += 1 } else if number != next { inOrder = false }
            next = max(next, number + 1)
        }
        #expect(torn == [])
        #expect(seen.count == count)
        #expect(inOrder)
        #expect(counted >= repeated)
    }

    @Test func `what repeats is counted too where an instance's processes join its log one by one`() throws {
        let directory = TemporaryDirectory()
        // The life before this one, and what a supervisor that was killed had written of this one without taking it out.
        do {
            let before = try PumpBench(in: directory)
            before.leavesSidecars = true
            for incarnation in [Incarnation(1), Incarnation(2)] {
                for client in 1...2 {
                    let ends = try before.pump.join(db, of: incarnation, spec: LogSpec(), as: .stderr)
                    write("life \(incarnation.number), client \(client)\n", to: ends.standardError)
                    close(ends.standardError)
                    try before.drain(db)
                }
            }
            #expect(before.log(db).compactMap(\.startedIncarnation) == [1, 2])
        }
        let fifo = open(directory.path + "/fifo/db.0.err", O_RDWR | O_CLOEXEC)
        defer { close(fifo) }
        write("life 2, client 2\nlife 2, client 3\n", to: fifo)
        let after = try PumpBench(in: directory)
        _ = try after.pump.adopt(db, incarnation: Incarnation(2), spec: LogSpec())
        try after.wait(for: "repeated \(db) 1")
        try after.drain(db)
        #expect(after.log(db).compactMap(\.startedIncarnation) == [1, 2])
        #expect(after.log(db).last?.string == "life 2, client 3")
    }

    @Test func `a life whose start was not noted begins after the one before it, however much that one wrote`() throws {
        let directory = TemporaryDirectory()
        let expression = try RegularExpression("^ready")
        try longLife(in: directory)
        let fifo = open(directory.path + "/fifo/db.0.out", O_RDWR | O_CLOEXEC)
        defer { close(fifo) }
        let after = try PumpBench(in: directory)
        _ = try after.pump.adopt(
            db, incarnation: Incarnation(2), spec: LogSpec(),
            patterns: [LogPattern(token: 7, expression: expression, stream: .any)])
        try after.drain(db)
        #expect(!after.events.contains("matched 7"))
        write("ready in the second life\n", to: fifo)
        try after.wait(for: "matched 7")
        try after.drain(db)
        #expect(after.log(db).compactMap(\.startedIncarnation) == [1, 2])
        #expect(after.log(db).suffix(2).map(\.string) == ["incarnation 2 started", "ready in the second life"])
    }

    @Test func `a life that is over is not noted to begin, however much it wrote`() throws {
        let directory = TemporaryDirectory()
        try longLife(in: directory)
        let after = try PumpBench(in: directory)
        _ = try after.pump.adopt(db, incarnation: Incarnation(1), isRunning: false, spec: LogSpec())
        after.pump.note(db, "hook post_stop failed: exit 1")
        try after.drain(db)
        #expect(after.log(db).compactMap(\.startedIncarnation) == [1])
        #expect(after.log(db).suffix(2).map(\.string) == ["exit 25", "hook post_stop failed: exit 1"])
    }

    /// One that wrote more than is looked at, and its end.
    private func longLife(in directory: TemporaryDirectory) throws {
        let bench = try PumpBench(in: directory)
        bench.leavesSidecars = true
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        let words = (0..<40_000).map { "ready for request \($0) of the first life\n" }
        write(words.joined(), to: ends.standardOutput)
        ends.close()
        try bench.drain(db)
        bench.pump.note(db, "exit 25")
        try bench.drain(db)
    }
}
