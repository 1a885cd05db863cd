import Glibc
import SidecarModel

/// Turns raw output into log lines, from one buffer into another, without a copy in between.
///
/// text: `2026-11-23T10:00:00.123456Z stdout F the line`; F is a full line, P a piece of one longer than `longestLine`.
/// json: `{"time":"…","stream":"stdout","partial":false,"text":"the line"}`.
struct LogFormatter {
    static let longestLine = 64 << 10

    /// What went from the input to the output.
    struct Progress {
        /// Input bytes, newlines included.
        var consumed = 0
        /// Output bytes.
        var written = 0
        var lines = 0
        /// The next line did not fit into the output.
        var isFull = false
    }

    var format: LogSpec.Format
    var timestamps: Bool

    /// Formats as many whole lines as there are and fit. What follows the last newline stays, unless it is longer than
    /// a line may be, or `flushing` says that no more of it will come (`full`) or can wait (`partial`).
    func format(
        _ input: UnsafeRawBufferPointer, stream: LogStream, at time: WallTime, flushing: Flush = .nothing,
        into output: UnsafeMutableRawBufferPointer
    ) -> Progress {
        let full = prefix(stream: stream, time: time, partial: false)
        let piece = prefix(stream: stream, time: time, partial: true)
        var progress = Progress()
        guard let start = input.baseAddress else { return progress }
        while progress.consumed < input.count {
            let line = start + progress.consumed
            let rest = input.count - progress.consumed
            let newline = memchr(line, 0x0a, rest)
            let length = newline.map { UnsafeRawPointer($0) - line } ?? rest
            var isPartial = false
            var taken = length
            var ending = newline == nil ? 0 : 1
            if length > Self.longestLine {
                (taken, ending, isPartial) = (Self.boundary(line, Self.longestLine), 0, true)
            } else if newline == nil {
                switch flushing {
                case .nothing: if length < Self.longestLine { return progress } else { isPartial = true }
                case .partial: isPartial = true
                case .full: break
                }
            }
            let bytes = UnsafeRawBufferPointer(start: line, count: taken)
            let room = UnsafeMutableRawBufferPointer(rebasing: output[progress.written...])
            guard let written = put(bytes, prefix: isPartial ? piece : full, into: room) else {
                progress.isFull = true
                return progress
            }
            progress.written += written
            progress.consumed += taken + ending
            progress.lines += 1
        }
        return progress
    }

    /// What to do with the text after the last newline.
    enum Flush { case nothing, partial, full }

    /// One line of the supervisor's own.
    func line(_ text: String, at time: WallTime) -> [UInt8] {
        // A note always has its time: it is what the others are placed by.
        var timed = self
        timed.timestamps = true
        let clean = text.utf8.map { $0 == 0x0a ? 0x20 : $0 }
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: clean.count * 6 + 256, alignment: 16)
        defer { output.deallocate() }
        let prefix = timed.prefix(stream: .system, time: time, partial: false)
        let written = clean.withUnsafeBytes { timed.put($0, prefix: prefix, into: output) } ?? 0
        return Array(output[..<written])
    }

    private func prefix(stream: LogStream, time: WallTime, partial: Bool) -> [UInt8] {
        switch format {
        case .text:
            let mark = partial ? " P " : " F "
            return Array(((timestamps ? "\(time) " : "") + stream.rawValue + mark).utf8)
        case .json:
            let stamp = timestamps ? "\"time\":\"\(time)\"," : ""
            return Array("{\(stamp)\"stream\":\"\(stream.rawValue)\",\"partial\":\(partial),\"text\":\"".utf8)
        }
    }

    /// Answers the bytes written, nil when there is no room.
    @inline(__always)
    private func put(
        _ line: UnsafeRawBufferPointer, prefix: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let target = output.baseAddress else { return nil }
        switch format {
        case .text:
            let total = prefix.count + line.count + 1
            guard total <= output.count else { return nil }
            prefix.withUnsafeBytes { if let base = $0.baseAddress { memcpy(target, base, prefix.count) } }
            if let base = line.baseAddress { memcpy(target + prefix.count, base, line.count) }
            target.storeBytes(of: 0x0a, toByteOffset: total - 1, as: UInt8.self)
            return total
        case .json:
            guard prefix.count + line.count * 6 + 3 <= output.count else { return nil }
            prefix.withUnsafeBytes { if let base = $0.baseAddress { memcpy(target, base, prefix.count) } }
            let rest = UnsafeMutableRawBufferPointer(rebasing: output[prefix.count...])
            let escaped = JSONText.escape(line, into: rest)
            let end = prefix.count + escaped
            output[end] = UInt8(ascii: "\"")
            output[end + 1] = UInt8(ascii: "}")
            output[end + 2] = 0x0a
            return end + 3
        }
    }

    /// At most `limit`, and not inside a UTF-8 sequence.
    private static func boundary(_ text: UnsafeRawPointer, _ limit: Int) -> Int {
        for back in 0..<4 where text.load(fromByteOffset: limit - back, as: UInt8.self) & 0xc0 != 0x80 {
            return limit - back
        }
        return limit
    }
}
