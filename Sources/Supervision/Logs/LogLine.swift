import Glibc

/// A line as it stands in a log file.
package struct LogLine: Hashable, Sendable {
    /// Nil in a log kept without time stamps.
    package var time: WallTime?
    package var stream: LogStream
    /// A piece of a line that was too long; the next one of its stream goes on with it.
    package var isPartial: Bool
    package var text: [UInt8]

    package init(time: WallTime?, stream: LogStream, isPartial: Bool = false, text: [UInt8]) {
        self.time = time
        self.stream = stream
        self.isPartial = isPartial
        self.text = text
    }

    package var string: String { String(decoding: text, as: UTF8.self) }

    /// The incarnation that starts here, where this is the supervisor's note of it.
    package var startedIncarnation: UInt64? {
        guard stream == .system, text.starts(with: Self.startPrefix.utf8) else { return nil }
        let rest = string.dropFirst(Self.startPrefix.count)
        guard rest.hasSuffix(" started") else { return nil }
        return UInt64(rest.dropLast(" started".count))
    }

    /// This is the supervisor's note of how a life ended.
    package var isExitNote: Bool {
        guard stream == .system else { return false }
        return ["exit ", "SIG", "signal "].contains { text.starts(with: $0.utf8) }
    }

    /// What everyone who reads the log has to know, as lines that are missing here: shown like lines of the sidecar.
    package var isNotice: Bool { stream == .system && text.starts(with: Self.noticeMark.utf8) }

    static let noticeMark = "! "
    private static let startPrefix = "incarnation "

    static func startNote(_ incarnation: UInt64) -> String { "\(startPrefix)\(incarnation) started" }

    static func withdrawalNote(_ incarnation: UInt64, because reason: String) -> String {
        "\(startPrefix)\(incarnation) did not start: \(reason)"
    }

    /// Reads a line of either format, without its newline. What has neither shape is taken as text of stdout.
    package init(parsing line: UnsafeRawBufferPointer) {
        if line.first == UInt8(ascii: "{"), let read = Self.json(line) {
            self = read
        } else {
            self = Self.text(line)
        }
    }

    private static func text(_ line: UnsafeRawBufferPointer) -> LogLine {
        var rest = line[...]
        var time: WallTime?
        if rest.count > WallTime.textLength, rest[rest.startIndex + WallTime.textLength] == 0x20 {
            time = WallTime(parsing: rest.prefix(WallTime.textLength))
            if time != nil { rest = rest.dropFirst(WallTime.textLength + 1) }
        }
        for (stream, name) in streamNames where rest.starts(with: name) {
            let mark = rest.dropFirst(name.count)
            guard mark.count >= 2, mark[mark.startIndex + 1] == 0x20,
                let kind = mark.first, kind == UInt8(ascii: "F") || kind == UInt8(ascii: "P")
            else { continue }
            return LogLine(
                time: time, stream: stream, isPartial: kind == UInt8(ascii: "P"), text: Array(mark.dropFirst(2)))
        }
        return LogLine(time: nil, stream: .stdout, text: Array(line))
    }

    private static let streamNames = LogStream.allCases.map { ($0, Array(($0.rawValue + " ").utf8)) }

    /// Only the shape the formatter writes.
    private static func json(_ line: UnsafeRawBufferPointer) -> LogLine? {
        var rest = line.dropFirst()
        func take(_ text: String) -> Bool {
            guard rest.starts(with: text.utf8) else { return false }
            rest = rest.dropFirst(text.utf8.count)
            return true
        }
        var time: WallTime?
        if take("\"time\":\"") {
            time = WallTime(parsing: rest.prefix(WallTime.textLength))
            rest = rest.dropFirst(WallTime.textLength)
            guard time != nil, take("\",") else { return nil }
        }
        guard take("\"stream\":\""), let stream = LogStream.allCases.first(where: { take($0.rawValue + "\"") }),
            take(",\"partial\":")
        else { return nil }
        let isPartial = take("true")
        guard isPartial || take("false"), take(",\"text\":\""), rest.count >= 2,
            rest.suffix(2).elementsEqual("\"}".utf8)
        else { return nil }
        return LogLine(time: time, stream: stream, isPartial: isPartial, text: JSONText.unescape(rest.dropLast(2)))
    }
}

/// Lines inside a buffer.
enum LogLines {
    /// Calls with every line, without its newline, until the body says no. An unfinished last one counts as a line.
    static func forEach(in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool) {
        guard let base = bytes.baseAddress else { return }
        var offset = 0
        while offset < bytes.count {
            let start = base + offset
            let end = memchr(start, 0x0a, bytes.count - offset).map { UnsafeRawPointer($0) - base } ?? bytes.count
            if !body(UnsafeRawBufferPointer(start: start, count: end - offset)) { return }
            offset = end + 1
        }
    }

    static func parse(_ bytes: [UInt8]) -> [LogLine] {
        var lines: [LogLine] = []
        bytes.withUnsafeBytes { buffer in
            forEach(in: buffer) { line in
                lines.append(LogLine(parsing: line))
                return true
            }
        }
        return lines
    }

    /// How many whole lines at the start of `waiting` are also, in that order, the last of this stream in the file.
    static func overlap(of tail: [UInt8], stream: LogStream, with waiting: UnsafeRawBufferPointer) -> Int {
        let written = parse(tail).filter { $0.stream == stream && !$0.isPartial }.map(\.text)
        var fresh: [[UInt8]] = []
        let whole = waiting.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        forEach(in: UnsafeRawBufferPointer(rebasing: waiting[..<whole])) { line in
            fresh.append(Array(line))
            return true
        }
        var count = min(written.count, fresh.count)
        while count > 0, !written.suffix(count).elementsEqual(fresh.prefix(count)) { count -= 1 }
        return count
    }

    /// What an incarnation has written, as far as it is in the tail. Nil: not even its start stands in the log, and what does
    /// is of one before it.
    static func written(by incarnation: UInt64, isRunning: Bool, in tail: [UInt8]) -> [LogLine]? {
        guard !tail.isEmpty else { return nil }
        let lines = parse(tail)
        guard let start = lines.lastIndex(where: { $0.startedIncarnation != nil }) else {
            // An end that is not its own is that of the one before, which had no more to say.
            return isRunning && lines.contains(where: \.isExitNote) ? nil : lines
        }
        return lines[start].startedIncarnation == incarnation ? Array(lines[(start + 1)...]) : nil
    }
}
