import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

struct LogCompressionTests {
    private let db = LogInstance(sidecar: "db", replica: 0)

    private func spec(_ maxFiles: Int = 1000) -> LogSpec {
        var spec = LogSpec()
        spec.maxSize = ByteCount(bytes: 4096)
        spec.maxFiles = maxFiles
        spec.compress = true
        return spec
    }

    private func files(_ bench: PumpBench) throws -> [String] {
        try Directory.names(in: bench.directory.path + "/logs").sorted()
    }

    /// Waits until nothing but the current file stands as it was written. At least one was rotated.
    private func waitUntilCompressed(_ bench: PumpBench) throws {
        let changes = loop_inotify_create()
        defer { close(changes) }
        let directory = bench.directory.path + "/logs"
        #expect(loop_inotify_add_losses(changes, directory) >= 0)
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            while Glibc.read(changes, &buffer, buffer.count) > 0 {}
            let rotated = try files(bench).filter { $0 != db.fileName }
            let left = rotated.filter { !$0.hasSuffix(".log.gz") }
            if !rotated.isEmpty, left.isEmpty { return }
            // The directory tells of every file that left since the listing, also of one that a reader holds open: what is
            // compressed loses the form it was written in.
            var waiter = pollfd(fd: changes, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiter, 1, 20_000) == 1)
        }
    }

    private func writeLines(_ numbers: Range<Int>, to bench: PumpBench, _ spec: LogSpec) throws {
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        let out = ends.standardOutput
        let writer = TestThread { for number in numbers { write("line number \(number)\n", to: out) } }
        writer.join()
        try bench.drain(db)
        ends.close()
    }

    private func read(_ bench: PumpBench, _ query: LogQuery = LogQuery()) throws -> [String] {
        let source = LogSource(instance: db, directory: bench.directory.path + "/logs")
        var lines: [String] = []
        try LogReader([source], query: query).read { lines.append($0.line.string) }
        return lines
    }

    private func lines(_ numbers: Range<Int>) -> [String] { numbers.map { "line number \($0)" } }

    @Test func `rotated files are compressed, and read as if they were not`() throws {
        let bench = try PumpBench()
        try writeLines(0..<1000, to: bench, spec())
        try waitUntilCompressed(bench)
        #expect(try files(bench).count > 3)
        #expect(try read(bench) == lines(0..<1000))
        #expect(try read(bench, LogQuery(last: 500)) == lines(500..<1000))
        #expect(try read(bench, LogQuery(pattern: RegularExpression("number 77$"))) == lines(77..<78))
    }

    @Test func `only as many are kept as wanted, compressed or not`() throws {
        let bench = try PumpBench()
        try writeLines(0..<1000, to: bench, spec(3))
        try waitUntilCompressed(bench)
        #expect(try files(bench).count == 3)
        let left = try read(bench)
        #expect(left == lines(1000 - left.count..<1000))
    }

    @Test func `whoever follows goes on through files that were compressed meanwhile`() throws {
        let bench = try PumpBench()
        var large = spec()
        large.maxSize = ByteCount(bytes: 1 << 20)
        try writeLines(0..<10, to: bench, large)
        let source = LogSource(instance: db, directory: bench.directory.path + "/logs")
        let reader = try LogReader([source], query: LogQuery(follows: true))
        var seen: [String] = []
        reader.read { seen.append($0.line.string) }
        #expect(seen == lines(0..<10))
        try writeLines(10..<1000, to: bench, spec())
        try waitUntilCompressed(bench)
        reader.read { seen.append($0.line.string) }
        #expect(seen == lines(0..<1000))
    }

    @Test func `what a killed supervisor left half compressed is read once, and compressed with the next rotation`()
        throws
    {
        let bench = try PumpBench()
        var plain = spec()
        plain.compress = false
        try writeLines(0..<400, to: bench, plain)
        let directory = bench.directory.path + "/logs/"
        let rotated = try files(bench).filter { $0 != db.fileName }
        #expect(rotated.count > 1)
        // Killed while it wrote the first one.
        bench.directory.write("logs/\(rotated[0]).gz.unfinished", "half")
        #expect(try read(bench) == lines(0..<400))
        try writeLines(400..<800, to: bench, spec())
        try waitUntilCompressed(bench)
        #expect(try files(bench).allSatisfy { !$0.hasSuffix(".unfinished") })
        #expect(try read(bench) == lines(0..<800))
        // Killed before the original was removed.
        bench.directory.write("logs/\(rotated[0])", "the same once more\n")
        #expect(try read(bench) == lines(0..<800))
        #expect(access(directory + rotated[0] + ".gz", F_OK) == 0)
    }

    @Test func `the life before the present one is found in compressed files`() throws {
        let bench = try PumpBench()
        try writeLines(0..<300, to: bench, spec())
        let ends = try bench.pump.open(db, incarnation: Incarnation(2), spec: spec())
        write("fresh\n", to: ends.standardOutput)
        try bench.drain(db)
        ends.close()
        try waitUntilCompressed(bench)
        #expect(try read(bench, LogQuery(previous: true)) == lines(0..<300))
    }
}
