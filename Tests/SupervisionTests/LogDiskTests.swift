import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

/// A log's files on a disk that refuses, and what becomes of old ones.
struct LogDiskTests {
    private let db = LogInstance(sidecar: "db", replica: 0)

    @Test func `a full disk holds the writer, then costs whole lines that are counted in the log`() throws {
        let bench = try PumpBench()
        var spec = LogSpec()
        spec.block = .zero
        // A directory where the file should be refuses every write, as a full disk does.
        try Directory.create(bench.directory.path + "/logs/db.0.log")
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        write("lost one\nlost two\n", to: ends.standardOutput)
        try bench.drain(db)
        rmdir(bench.directory.path + "/logs/db.0.log")
        write("kept\n", to: ends.standardOutput)
        try bench.wait(for: "dropped db/0 2")
        #expect(bench.events.first == "refused db/0")
        try bench.wait(for: "accepted db/0")
        try bench.drain(db)
        ends.close()
        #expect(
            bench.log(db).map(\.string)
                == ["incarnation 1 started", "! 2 lines were dropped here: is a directory", "kept"])
    }

    @Test func `what was dropped is counted by the next supervisor, in the log of the life it was of`() throws {
        let directory = TemporaryDirectory()
        let file = directory.path + "/logs/db.0.log"
        try Directory.create(file)
        var spec = LogSpec()
        spec.block = .zero
        do {
            let bench = try PumpBench(in: directory)
            bench.leavesSidecars = true
            let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
            write("lost one\nlost two\n", to: ends.standardOutput)
            try bench.drain(db)
            ends.close()
        }
        // The disk is still full for this one, and it is killed too.
        do {
            let bench = try PumpBench(in: directory)
            bench.leavesSidecars = true
            _ = try bench.pump.adopt(db, incarnation: Incarnation(1), spec: spec)
            let ends = try bench.pump.join(db, spec: spec)
            write("lost three\n", to: ends.standardOutput)
            try bench.drain(db)
            ends.close()
        }
        rmdir(file)
        let bench = try PumpBench(in: directory)
        let ends = try bench.pump.open(db, incarnation: Incarnation(2), spec: spec)
        write("kept\n", to: ends.standardOutput)
        try bench.drain(db)
        ends.close()
        #expect(bench.events.contains("dropped db/0 3"))
        #expect(
            bench.log(db).map(\.string)
                == ["! 3 lines were dropped here: the log could not be written", "incarnation 2 started", "kept"])
        try bench.pump.open(db, incarnation: Incarnation(3), spec: spec).close()
        try bench.drain(db)
        #expect(bench.log(db).count == 4)
    }

    @Test func `old files are removed although nothing more is written, and too many of them at once`() throws {
        let bench = try PumpBench()
        let logs = bench.directory.path + "/logs"
        func rotated() throws -> [String] { try Directory.names(in: logs).filter { $0 != "db.0.log" } }
        var spec = LogSpec()
        spec.maxSize = ByteCount(bytes: 1)
        let ends = try bench.pump.open(db, incarnation: Incarnation(1), spec: spec)
        for number in 1...5 {
            write("line \(number)\n", to: ends.standardOutput)
            try bench.drain(db)
        }
        ends.close()
        #expect(try rotated().count == 4)
        spec.maxFiles = 3
        bench.pump.configure(db, spec: spec)
        try bench.drain(db)
        #expect(try rotated().count == 2)
        let losses = loop_inotify_create()
        defer { close(losses) }
        try #require(loop_inotify_add_losses(losses, logs) >= 0)
        spec.maxAge = .milliseconds(50)
        bench.pump.configure(db, spec: spec)
        var waiter = pollfd(fd: losses, events: Int16(POLLIN), revents: 0)
        var news = [UInt8](repeating: 0, count: 4096)
        while try !rotated().isEmpty {
            // It says when something is gone.
            try #require(poll(&waiter, 1, 20_000) == 1)
            _ = read(losses, &news, news.count)
        }
    }

    @Test func `notes that a full disk refuses are not kept without end`() throws {
        let bench = try PumpBench()
        let file = bench.directory.path + "/logs/db.0.log"
        try Directory.create(file)
        for number in 1...200 {
            try bench.pump.open(db, incarnation: Incarnation(UInt64(number)), spec: LogSpec()).close()
            bench.pump.note(db, "exit 1")
        }
        try bench.drain(db)
        rmdir(file)
        try bench.drain(db)
        let lines = bench.log(db).map(\.string)
        #expect(lines.count == 256)
        #expect(lines.first == "incarnation 73 started")
        #expect(lines.last == "exit 1")
    }
}
