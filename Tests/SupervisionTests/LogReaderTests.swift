import Glibc
import SidecarModel
import Testing

@testable import Supervision

struct LogReaderTests {
    private let directory = TemporaryDirectory()

    private func source(_ name: String, _ replica: Int = 0) -> LogSource {
        LogSource(instance: LogInstance(sidecar: name, replica: replica), directory: directory.path)
    }

    private func time(_ second: Int) -> WallTime {
        WallTime(microseconds: 1_795_428_000_000_000 + Int64(second) * 1_000_000)
    }

    /// Lines as `second stream text`.
    private func file(_ name: String, _ lines: [(Int, String, String)]) {
        directory.write(name, lines.map { "\(time($0.0)) \($0.1) F \($0.2)\n" }.joined())
    }

    private func read(_ sources: [LogSource], _ query: LogQuery = LogQuery()) throws -> [String] {
        var lines: [String] = []
        try LogReader(sources, query: query).read { lines.append("\($0.instance.sidecar): \($0.line.string)") }
        return lines
    }

    private func hasNews(_ reader: LogReader) -> Bool {
        var waiter = pollfd(fd: reader.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiter, 1, -1) > 0
    }

    @Test func `several instances are merged by time, rotated files first`() throws {
        file("a.0.\(time(3).compact).log", [(1, "stdout", "one"), (3, "stdout", "three")])
        file("a.0.log", [(5, "stderr", "five")])
        file("b.0.log", [(2, "stdout", "two"), (3, "stdout", "also three"), (6, "stdout", "six")])
        #expect(
            try read([source("a"), source("b")])
                == ["a: one", "b: two", "a: three", "b: also three", "a: five", "b: six"])
    }

    @Test func `since and until are inclusive, a pattern filters, notes are left out`() throws {
        file(
            "a.0.log",
            [
                (0, "system", "! 2 lines were dropped here: disk full"), (1, "stdout", "ready 1"),
                (2, "stdout", "ready 2"), (3, "system", "incarnation 2 started"),
                (4, "stdout", "other"), (5, "stdout", "ready 5"), (6, "stdout", "ready 6"),
            ])
        let query = LogQuery(since: time(2), until: time(5), pattern: try RegularExpression("^ready [0-9]"))
        #expect(try read([source("a")], query) == ["a: ready 2", "a: ready 5"])
        #expect(try read([source("a")], LogQuery(includesSystem: true)).count == 7)
        #expect(try read([source("a")], LogQuery(until: time(1))).first == "a: ! 2 lines were dropped here: disk full")
    }

    @Test func `the last lines are those of each instance, across files`() throws {
        file("a.0.\(time(2).compact).log", [(1, "stdout", "1"), (2, "stdout", "2")])
        file("a.0.log", [(3, "stdout", "3")])
        file("b.0.log", (0..<1000).map { ($0, "stdout", "b\($0)") })
        #expect(try read([source("a"), source("b")], LogQuery(last: 2)) == ["a: 2", "a: 3", "b: b998", "b: b999"])
        #expect(try read([source("a")], LogQuery(last: 0)) == [])
        #expect(try read([source("a")], LogQuery(last: 99)).count == 3)
    }

    @Test func `previous is the life before the last start`() throws {
        file(
            "a.0.log",
            [
                (1, "system", "incarnation 1 started"), (2, "stdout", "first"),
                (3, "system", "incarnation 4 started"), (4, "stdout", "second"),
                (5, "system", "incarnation 5 started"), (6, "stdout", "third"),
            ])
        #expect(try read([source("a")], LogQuery(previous: true)) == ["a: second"])
    }

    @Test func `a reading that stops goes on where it was, with what others wrote meanwhile`() throws {
        file("a.0.log", (1...5).map { ($0 * 10, "stdout", "a\($0)") })
        file("b.0.log", [(11, "stdout", "b1")])
        let reader = try LogReader([source("a"), source("b")], query: LogQuery(follows: true))
        var seen: [String] = []
        func some() -> Bool { reader.read(atMost: 2) { seen.append($0.line.string) } }
        #expect(some())
        #expect(seen == ["a1", "b1"])
        file("b.0.log", [(11, "stdout", "b1"), (25, "stdout", "b2")])
        #expect(some())
        #expect(seen == ["a1", "b1", "a2", "b2"])
        #expect(some())
        #expect(!some())
        #expect(seen == ["a1", "b1", "a2", "b2", "a3", "a4", "a5"])
        #expect(!some())
    }

    @Test(arguments: [nil, 3]) func `what is written while it is read is not part of it`(last: Int?) throws {
        file("a.0.log", (1...5).map { ($0, "stdout", "a\($0)") })
        let reader = try LogReader([source("a")], query: LogQuery(last: last))
        var seen: [String] = []
        let descriptor = open("\(directory.path)/a.0.log", O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(descriptor) }
        reader.read { entry in
            seen.append(entry.line.string)
            // As fast as it is read.
            write("\(time(6)) stdout F more\n", to: descriptor)
        }
        #expect(seen == ["a1", "a2", "a3", "a4", "a5"].suffix(last ?? 5))
    }

    @Test func `following goes on through a rotation, and takes no half line`() throws {
        file("a.0.log", [(1, "stdout", "one")])
        let reader = try LogReader([source("a")], query: LogQuery(follows: true))
        var seen: [String] = []
        func take() { reader.read { seen.append($0.line.string) } }
        take()
        let path = directory.path + "/a.0.log"
        func append(_ text: String) {
            let fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
            write(text, to: fd)
            close(fd)
        }
        append("\(time(2)) stdout F tw")
        #expect(hasNews(reader))
        take()
        #expect(seen == ["one"])
        append("o\n")
        #expect(rename(path, directory.path + "/a.0.\(time(2).compact).log") == 0)
        append("\(time(3)) stdout F three\n")
        #expect(hasNews(reader))
        take()
        #expect(seen == ["one", "two", "three"])
    }

    /// Each look is taken while two files are rotated.
    @Test(arguments: [3, nil]) func `no line is passed over because a file is rotated meanwhile`(_ last: Int?) throws {
        let path = directory.path
        let times = (0..<2000).map { time($0) }
        let (isLooking, isRotated) = (Semaphore(), Semaphore())
        let writer = TestThread {
            for (number, time) in times.enumerated() {
                if number.isMultiple(of: 2) { isLooking.wait() }
                rename(path + "/a.0.log", path + "/a.0.\(time.compact).log")
                let fd = open(path + "/a.0.log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
                write("\(time) stdout F \(number)\n", to: fd)
                close(fd)
                // No look is that far behind.
                if number >= 8 { unlink(path + "/a.0.\(times[number - 8].compact).log") }
                if !number.isMultiple(of: 2) { isRotated.raise() }
            }
        }
        let following = try LogReader([source("a")], query: LogQuery(follows: true))
        var newest = -1
        var gaps: [String] = []
        for _ in 0..<times.count / 2 {
            isLooking.raise()
            var numbers = newest < 0 ? [] : [newest]
            let reader = last == nil ? following : try LogReader([source("a")], query: LogQuery(last: last))
            if last != nil { numbers = [] }
            reader.read { numbers.append(Int($0.line.string) ?? -1) }
            for (one, next) in zip(numbers, numbers.dropFirst()) where next != one + 1 {
                gaps.append("\(one) → \(next)")
            }
            newest = numbers.last ?? newest
            isRotated.wait()
        }
        writer.join()
        #expect(gaps.isEmpty)
    }

    @Test func `pieces of a long line are put together`() throws {
        directory.write(
            "a.0.log",
            "\(time(1)) stdout P abc\n\(time(2)) stderr F between\n\(time(3)) stdout P def\n\(time(4)) stdout F \n")
        #expect(try read([source("a")]) == ["a: between", "a: abcdef"])
    }

    @Test(arguments: [64 << 10, 400 << 10]) func `pieces as long as they come are put together, to a limit`(piece: Int)
        throws
    {
        let mark = "\(time(1)) stdout "
        let text = String(repeating: "x", count: piece)
        directory.write(
            "a.0.log", "\(mark)F before\n\(mark)P \(text)\n\(mark)P \(text)\n\(mark)F end\n\(mark)F after\n")
        #expect(try read([source("a")]) == ["a: before", "a: \(text)\(text)end", "a: after"])
        directory.write("a.0.log", String(repeating: "\(mark)P \(text)\n", count: 20) + "\(mark)F end\n")
        var lines: [LogLine] = []
        try LogReader([source("a")], query: LogQuery()).read { lines.append($0.line) }
        #expect(lines.map(\.text.count).reduce(0, +) == 20 * piece + 3)
        #expect(lines.dropLast().allSatisfy { $0.isPartial && $0.text.count >= 1 << 20 })
        #expect(lines.last?.isPartial == false)
    }

    @Test func `what is no line of ours is text of stdout`() throws {
        directory.write("a.0.log", "plain text\n{\"time\":1}\n")
        #expect(try read([source("a")]) == ["a: plain text", "a: {\"time\":1}"])
    }

    @Test func `a time is written and read back`() {
        let moments: [Int64] = [
            0, 951_782_399_999_999, 951_782_400_000_000, 1_795_428_000_123_456, 253_402_300_799_999_999,
        ]
        for moment in moments {
            let time = WallTime(microseconds: moment)
            #expect(WallTime(parsing: time.description.utf8) == time)
        }
        #expect(WallTime(microseconds: 951_782_400_000_001).description == "2000-02-29T00:00:00.000001Z")
    }

    @Test func `sources are found by their files`() throws {
        file("web.1.log", [])
        file("web.0.log", [])
        file("db.0.log", [])
        file("db.0.\(time(1).compact).log", [])
        file("db.3.\(time(1).compact).log.gz", [])
        file("db.4.old.log", [])
        #expect(try LogSource.found(in: directory.path).map { "\($0.instance)" } == ["db/0", "db/3", "web/0", "web/1"])
    }
}
