import Glibc
import SidecarModel
import Supervision
import Testing

/// What of a log's declaration changes while its sidecar runs.
struct LogChangeTests {
    private let db = LogInstance(sidecar: "db", replica: 0)
    private var merging: LogSpec {
        var spec = LogSpec()
        spec.mergesStandardError = true
        return spec
    }

    @Test func `lines go on in the directory that is declared now, and the old file stays`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(3), spec: LogSpec())
        defer { ends.close() }
        write("before\n", to: ends.standardOutput)
        try goOnElsewhere(bench, ends)
        #expect(bench.log(db).map(\.string) == ["incarnation 3 started", "before"])
        #expect(try lines(of: bench, in: "elsewhere") == ["incarnation 3 started", "after"])
    }

    @Test func `a sidecar that said nothing before leaves no file in the old directory`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        defer { ends.close() }
        try goOnElsewhere(bench, ends)
        #expect(bench.log(db).isEmpty)
        #expect(try lines(of: bench, in: "elsewhere") == ["incarnation 1 started", "after"])
    }

    @Test func `outputs merged while it runs have one name at once, also for the next supervisor and for hooks`() throws
    {
        let directory = TemporaryDirectory()
        let ends = try leave(in: directory)
        defer { ends.close() }
        let bench = try PumpBench(in: directory)
        _ = try bench.pump.adopt(db, incarnation: Incarnation(1), spec: merging)
        let hook = try bench.pump.join(db, spec: merging)
        defer { hook.close() }
        write("third\n", to: ends.standardError)
        try bench.drain(db)
        #expect(
            bench.log(db).map { "\($0.stream) \($0.string)" }
                == ["system incarnation 1 started", "stderr first", "stdout second", "stdout third"])
    }

    private func goOnElsewhere(_ bench: PumpBench, _ ends: LogEnds) throws {
        var spec = LogSpec()
        spec.directory = bench.directory.path + "/elsewhere"
        bench.pump.configure(db, spec: spec)
        try bench.drain(db)
        write("after\n", to: ends.standardOutput)
        try bench.drain(db)
    }

    /// A supervisor that leaves after it was told to merge the outputs.
    private func leave(in directory: TemporaryDirectory) throws -> LogEnds {
        let bench = try PumpBench(in: directory)
        bench.leavesSidecars = true
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        write("first\n", to: ends.standardError)
        bench.pump.configure(db, spec: merging)
        try bench.drain(db)
        write("second\n", to: ends.standardError)
        try bench.drain(db)
        return ends
    }

    @Test func `outputs declared apart while it runs as one go on as one, and nobody's pattern is lost`() throws {
        let bench = try PumpBench()
        let ready = LogPattern(token: 7, expression: try RegularExpression("ready"), stream: .stderr)
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: merging, patterns: [ready])
        defer { ends.close() }
        bench.pump.configure(db, spec: LogSpec())
        try bench.drain(db)
        let hook = try bench.pump.join(db, spec: LogSpec())
        defer { hook.close() }
        write("ready\n", to: ends.standardError)
        try bench.wait(for: "matched 7")
        try bench.drain(db)
        #expect(bench.log(db).map { "\($0.stream) \($0.string)" }.last == "stdout ready")
    }

    @Test func `the next start has the pipes that are declared`() throws {
        let bench = try PumpBench()
        try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec()).close()
        let merged = try bench.pump.open(db, incarnation: Incarnation(2), spec: merging)
        #expect(merged.standardOutput == merged.standardError)
        write("one\n", to: merged.standardError)
        merged.close()
        try bench.drain(db)
        let apart = try bench.pump.open(db, incarnation: Incarnation(3), spec: LogSpec())
        write("two\n", to: apart.standardError)
        apart.close()
        try bench.drain(db)
        let said = bench.log(db).filter { $0.stream != .system }.map { "\($0.stream) \($0.string)" }
        #expect(said == ["stdout one", "stderr two"])
    }

    private func lines(of bench: PumpBench, in directory: String) throws -> [String] {
        let source = LogSource(instance: db, directory: bench.directory.path + "/" + directory)
        var lines: [String] = []
        try LogReader([source], query: LogQuery(includesSystem: true)).read { lines.append($0.line.string) }
        return lines
    }
}
