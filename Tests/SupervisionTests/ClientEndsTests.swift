import Glibc
import SidecarModel
import Supervision
import Testing

/// A client in the log's place at a sidecar's output.
struct ClientEndsTests {
    private let db = LogInstance(sidecar: "db", replica: 0)

    @Test func `what is held back from the log is the client's, and what it leaves is logged`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        let input = try bench.pump.openInput(db)
        defer {
            ends.close()
            close(input)
        }
        write("before\nprompt> ", to: ends.standardOutput)
        try bench.hold(db)
        write("mine\n", to: ends.standardOutput)
        write("said aloud\n", to: ends.standardError)
        try bench.drain(db)
        let client = try ClientEnds(stateDirectory: bench.directory.path, instance: db)
        #expect(read(12, from: client.output) == "prompt> mine")
        bench.pump.resume(db)
        try bench.drain(db)
        #expect(bench.log(db).map(\.string) == ["incarnation 1 started", "before", "said aloud", ""])
        write("after\n", to: ends.standardOutput)
        try bench.drain(db)
        #expect(bench.log(db).last?.string == "after")
    }

    @Test func `an instance held before it is opened is not read`() throws {
        let bench = try PumpBench()
        try bench.hold(db)
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        write("mine\n", to: ends.standardOutput)
        try bench.drain(db)
        #expect(bench.log(db).map(\.string) == ["incarnation 1 started"])
        bench.pump.resume(db)
        ends.close()
        try bench.drain(db)
        #expect(bench.log(db).last?.string == "mine")
    }

    @Test func `a presence is seen while it is held, by one client at a time`() throws {
        let bench = try PumpBench()
        #expect(bench.pump.openPresence(db) == nil)
        close(try bench.pump.openInput(db))
        #expect(bench.pump.openPresence(db) == nil)
        let first = try ClientEnds.announce(stateDirectory: bench.directory.path, instance: db)
        let seen = try #require(bench.pump.openPresence(db))
        defer { close(seen) }
        #expect(!bench.pump.hasLeft(seen))
        #expect(throws: SystemError.self) {
            try ClientEnds.announce(stateDirectory: bench.directory.path, instance: db)
        }
        close(first)
        #expect(bench.pump.hasLeft(seen))
        close(try ClientEnds.announce(stateDirectory: bench.directory.path, instance: db))
    }

    @Test func `input that was not read goes with the life it was for`() throws {
        let bench = try PumpBench()
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: LogSpec())
        defer { ends.close() }
        let first = try bench.pump.openInput(db)
        let client = try ClientEnds(stateDirectory: bench.directory.path, instance: db)
        write("for the first", to: client.input)
        close(first)
        let second = try bench.pump.openInput(db)
        defer { close(second) }
        var entry = pollfd(fd: second, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 0) == 0)
    }

    private func read(_ count: Int, from descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = Glibc.read(descriptor, &bytes, count)
        return String(decoding: bytes.prefix(max(0, got)), as: UTF8.self)
    }
}
