import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

struct LogPumpTests {
    private let db = LogInstance(sidecar: "db", replica: 0)

    /// A supervisor that leaves when its sidecar has written that. The sidecar's ends, which stay open.
    private func leave(_ directory: TemporaryDirectory, after text: String) throws -> LogEnds {
        let bench = try PumpBench(in: directory)
        bench.leavesSidecars = true
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        write(text, to: ends.standardOutput)
        try bench.drain(db)
        return ends
    }

    @Test
    func `lines of both outputs reach the file with stream and mark, an unfinished last one when nobody holds on`()
        throws
    {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(3), spec: LogSpec())
        write("one\ntwo\n", to: ends.standardOutput)
        try bench.drain(db)
        write("oh no\n", to: ends.standardError)
        write("unfinished", to: ends.standardOutput)
        try bench.drain(db)
        #expect(
            bench.log(db).map { "\($0.stream) \($0.string)" }
                == ["system incarnation 3 started", "stdout one", "stdout two", "stderr oh no"])
        ends.close()
        try bench.drain(db)
        #expect(bench.log(db).last?.string == "unfinished")
        #expect(bench.log(db).last?.isPartial == false)
        #expect(bench.log(db).allSatisfy { $0.time != nil })
    }

    @Test func `a new incarnation's lines come after its note, and the old one's unfinished line before it`() throws {
        let bench = try PumpBench()
        let first = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        write("half", to: first.standardOutput)
        first.close()
        let second = try bench.pump.open(db, incarnation: Incarnation(2), spec: LogSpec())
        #expect(second.newReadEnds.isEmpty)
        write("fresh\n", to: second.standardOutput)
        try bench.drain(db)
        second.close()
        #expect(
            bench.log(db).map(\.string) == ["incarnation 1 started", "half", "incarnation 2 started", "fresh"])
    }

    @Test func `merged outputs keep the order of writing`() throws {
        let bench = try PumpBench()
        var spec = LogSpec()
        spec.mergesStandardError = true
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        #expect(ends.standardOutput == ends.standardError)
        write("a\n", to: ends.standardOutput)
        write("b\n", to: ends.standardError)
        try bench.drain(db)
        ends.close()
        #expect(bench.log(db).map(\.string) == ["incarnation 1 started", "a", "b"])
    }

    @Test func `a line over 64 KiB is split and marked, and nothing of it is lost`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        let long = String(repeating: "é", count: 100_000)
        let out = ends.standardOutput
        let writer = TestThread { write(long + "\nnext\n", to: out) }
        writer.join()
        try bench.drain(db)
        ends.close()
        let lines = bench.log(db).dropFirst()
        #expect(lines.last?.string == "next")
        let pieces = lines.dropLast()
        #expect(pieces.count == 4)
        #expect(pieces.dropLast().filter(\.isPartial).count == 3)
        #expect(pieces.last?.isPartial == false)
        #expect(pieces.map(\.string).joined() == long)
    }

    @Test func `a write larger than the FIFO goes on behind an unfinished line`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        write("unfinished ", to: ends.standardOutput)
        try bench.drain(db)
        // It fills the FIFO and waits there, and no reader is woken for that as one is for the end of a write.
        let lines = (0..<20_000).map { "line \($0)\n" }.joined()
        let out = ends.standardOutput
        TestThread { write(lines, to: out) }.join()
        try bench.drain(db)
        ends.close()
        #expect(bench.log(db).count == 20_001)
        #expect(bench.log(db)[1].string == "unfinished line 0")
    }

    @Test func `a pattern is reported once, and only for the stream it asks for`() throws {
        let bench = try PumpBench()
        let ready = LogPattern(token: 7, expression: try RegularExpression("ready on [0-9]+"), stream: .stdout)
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec(), patterns: [ready])
        write("ready on 80\n", to: ends.standardError)
        try bench.drain(db)
        #expect(bench.events == [])
        write("ready on x\nready on 81\nready on 82\n", to: ends.standardOutput)
        try bench.wait(for: "matched 7")
        try bench.drain(db)
        ends.close()
        #expect(bench.events == ["matched 7"])
    }

    @Test(.timeLimit(.minutes(1))) func `a start of which nobody woke the pump holds up no line of another`() throws {
        let bench = try PumpBench()
        let web = LogInstance(sidecar: "web", replica: 0)
        let ready = LogPattern(token: 7, expression: try RegularExpression("^ready"), stream: .any)
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec(), patterns: [ready])
        defer { ends.close() }
        try bench.drain(db)
        try bench.pump.open(web, incarnation: Incarnation(1), spec: LogSpec(), patterns: [ready], wakes: false).close()
        write("ready\n", to: ends.standardOutput)
        try bench.wait(for: "matched 7")
        // What was sent before the line came was taken before it.
        #expect(bench.log(web).map(\.string) == ["incarnation 1 started"])
    }

    @Test func `files are rotated by size at line ends, and only as many are kept as wanted`() throws {
        let bench = try PumpBench()
        var spec = LogSpec()
        spec.maxSize = ByteCount(bytes: 4096)
        spec.maxFiles = 3
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        let out = ends.standardOutput
        let writer = TestThread { for number in 0..<1000 { write("line number \(number)\n", to: out) } }
        writer.join()
        try bench.drain(db)
        ends.close()
        let names = try Directory.names(in: bench.directory.path + "/logs")
        #expect(names.count == 3)
        for name in names {
            var facts = stat()
            stat(bench.directory.path + "/logs/" + name, &facts)
            #expect((1...4096).contains(facts.st_size))
        }
        let numbers = try bench.allLines(db).map { $0.string.split(separator: " ").last.map(String.init) ?? "" }
        #expect(numbers == (1000 - numbers.count..<1000).map(String.init))
    }

    @Test func `starts that failed leave no note behind, or one that says so`() throws {
        let bench = try PumpBench()
        for number in 1...3 {
            try bench.pump.open(db, incarnation: Incarnation(UInt64(number)), spec: LogSpec()).close()
            bench.pump.withdrawStart(db, Incarnation(UInt64(number)), because: "no such file")
        }
        // Its file, and with it the note, is made before it is known whether the process starts.
        let ready = LogPattern(token: 1, expression: try RegularExpression("ready"), stream: .any)
        try bench.pump.open(db, incarnation: Incarnation(4), spec: LogSpec(), patterns: [ready]).close()
        try bench.drain(db)
        bench.pump.withdrawStart(db, Incarnation(4), because: "no such file")
        // This one did not even come to have a log.
        bench.pump.withdrawStart(db, Incarnation(5), because: "too many open files")
        let ends = try bench.pump.open(db, incarnation: Incarnation(6), spec: LogSpec())
        write("hello\n", to: ends.standardOutput)
        try bench.drain(db)
        ends.close()
        #expect(
            bench.log(db).map(\.string) == [
                "incarnation 4 started", "incarnation 4 did not start: no such file", "incarnation 6 started", "hello",
            ])
    }

    @Test func `json lines are escaped and read back as they were`() throws {
        let bench = try PumpBench()
        var spec = LogSpec()
        spec.format = .json
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        write("say \"hi\"\\\t\u{1b}[1m é\n", to: ends.standardOutput)
        try bench.drain(db)
        ends.close()
        #expect(bench.log(db).map(\.string) == ["incarnation 1 started", "say \"hi\"\\\t\u{1b}[1m é"])
        #expect(
            bench.directory.lines("logs/db.0.log").last?.contains("\"text\":\"say \\\"hi\\\"\\\\\\t\\u001b[1m é\"")
                == true)
    }

    @Test func `FIFOs that were made ahead are the start's, and their read ends are handed out once`() throws {
        let bench = try PumpBench()
        #expect(bench.pump.newReadEnds(of: db).isEmpty)
        bench.pump.prepare(db, spec: LogSpec())
        let made = bench.pump.newReadEnds(of: db)
        #expect(made.count == 2)
        #expect(bench.pump.newReadEnds(of: db).isEmpty)
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        #expect(ends.newReadEnds.isEmpty)
        #expect(bench.pump.readEnds(of: db) == made)
        write("up\n", to: ends.standardOutput)
        try bench.drain(db)
        ends.close()
        #expect(bench.log(db).map(\.string) == ["incarnation 1 started", "up"])
    }

    @Test func `what a hook says before the first start is read, and the read ends are handed out once`() throws {
        let bench = try PumpBench()
        let hook = try bench.pump.join(db, spec: LogSpec())
        #expect(hook.newReadEnds.count == 2)
        let text = String(repeating: "preparing\n", count: 20_000)
        let out = hook.standardOutput
        TestThread { write(text, to: out) }.join()
        hook.close()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        #expect(ends.newReadEnds.isEmpty)
        write("up\n", to: ends.standardOutput)
        try bench.drain(db)
        ends.close()
        let lines = bench.log(db).map(\.string)
        #expect(lines.count == 20_002)
        #expect(lines.suffix(3) == ["preparing", "incarnation 1 started", "up"])
    }

    @Test func `no line is torn where more is left of a life than one look holds`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        // So that all of it waits when its writer is gone.
        try bench.hold(db)
        try #require(loop_pipe_resize(ends.standardOutput, 1 << 20) == 1 << 20)
        let lines = (0..<40_000).map { "line number \($0)" }
        write(lines.joined(separator: "\n") + "\n", to: ends.standardOutput)
        ends.close()
        bench.pump.resume(db)
        try bench.drain(db)
        #expect(try bench.allLines(db).filter { $0.stream == .stdout }.map(\.string) == lines)
    }

    @Test func `a supervisor that leaves does not break the unfinished line of one that stays`() throws {
        let directory = TemporaryDirectory()
        let ends = try leave(directory, after: "whole\nhal")
        let second = try PumpBench(in: directory)
        _ = try second.pump.adopt(db, incarnation: Incarnation(1), spec: LogSpec())
        write("f\n", to: ends.standardOutput)
        try second.drain(db)
        ends.close()
        #expect(second.log(db).map(\.string) == ["incarnation 1 started", "whole", "half"])
    }

    @Test func `what the life before wrote matches nothing of the one that is adopted`() throws {
        let directory = TemporaryDirectory()
        let ends = try leave(directory, after: "ready on 80\n")
        // Started by a supervisor that was killed before the first line: the note of its start went with it.
        let second = try PumpBench(in: directory)
        let pattern = LogPattern(token: 5, expression: try RegularExpression("^ready"), stream: .any)
        _ = try second.pump.adopt(db, incarnation: Incarnation(2), spec: LogSpec(), patterns: [pattern])
        try second.drain(db)
        #expect(second.events == [])
        write("ready on 81\n", to: ends.standardOutput)
        try second.wait(for: "matched 5")
        try second.drain(db)
        ends.close()
        #expect(
            second.log(db).map(\.string)
                == ["incarnation 1 started", "ready on 80", "incarnation 2 started", "ready on 81"])
    }

    @Test func `a pattern that matched while nobody listened is found when the instance is adopted`() throws {
        let directory = TemporaryDirectory()
        let ends = try leave(directory, after: "ready on 80\n")
        let second = try PumpBench(in: directory)
        let pattern = LogPattern(token: 5, expression: try RegularExpression("^ready"), stream: .any)
        _ = try second.pump.adopt(db, incarnation: Incarnation(1), spec: LogSpec(), patterns: [pattern])
        try second.wait(for: "matched 5")
        ends.close()
    }

    @Test func `a directory that can't be made is an error of the start`() throws {
        let bench = try PumpBench()
        bench.directory.write("file", "")
        var spec = LogSpec()
        spec.directory = bench.directory.path + "/file/logs"
        let failure = #expect(throws: SystemError.self) {
            _ = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        }
        #expect(failure?.errno == ENOTDIR)
        spec.directory = bench.directory.path + "/file"
        let plain = #expect(throws: SystemError.self) {
            _ = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        }
        #expect(plain?.errno == ENOTDIR)
    }

    @Test func `retiring writes what is left and removes the FIFOs`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        write("last words", to: ends.standardOutput)
        ends.close()
        bench.pump.retire(db)
        try bench.drain(db)
        #expect(bench.log(db).map(\.string) == ["incarnation 1 started", "last words"])
        let left = try Directory.names(in: bench.directory.path + "/fifo")
        // In memory, a link back to the state directory.
        #expect(left.filter { $0 != ".state" } == [])
    }
}
