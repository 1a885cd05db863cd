package import SidecarModel

/// The text of a file with its line starts, to turn marks into places and places into snippets.
package struct SourceText: Sendable {
    package let file: String
    package let bytes: [UInt8]
    /// Offset of the first byte of every line.
    let lineStarts: [Int]

    /// Behind the byte order mark, if there is one.
    var firstByte: Int { lineStarts[0] }

    package init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
        lineStarts = Self.lineStarts(of: bytes)
    }

    /// Lines end as YAML 1.1 has it, since marks are counted that way: LF, CR, CR LF, NEL, LS, PS.
    private static func lineStarts(of bytes: [UInt8]) -> [Int] {
        bytes.withUnsafeBufferPointer { bytes in
            var starts = [bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0]
            starts.reserveCapacity(bytes.count / 24)
            var position = 0
            let end = bytes.count
            while position < end {
                let byte = bytes[position]
                position += 1
                if byte > 0x0D && byte < 0xC2 { continue }
                switch byte {
                case 0x0A: starts.append(position)
                case 0x0D:
                    if position < end, bytes[position] == 0x0A { position += 1 }
                    starts.append(position)
                case 0xC2 where position < end && bytes[position] == 0x85:
                    position += 1
                    starts.append(position)
                case 0xE2 where position + 1 < end && bytes[position] == 0x80 && bytes[position + 1] & 0xFE == 0xA8:
                    position += 2
                    starts.append(position)
                default: break
                }
            }
            return starts
        }
    }

    /// - Parameters: line and column count characters from 0, as libyaml's marks do.
    package func location(line: Int, column: Int, length: Int = 1) -> SourceLocation {
        guard line < lineStarts.count else {
            let last = lineStarts.count - 1
            return SourceLocation(file: file, line: last + 1, column: 1, offset: bytes.count)
        }
        let (start, end) = lineBounds(line)
        var offset = start
        var left = column
        while left > 0, offset < end {
            offset += 1
            while offset < end, bytes[offset] & 0xC0 == 0x80 { offset += 1 }
            left -= 1
        }
        let rest = bytes[offset..<end].lazy.filter { $0 & 0xC0 != 0x80 }.count
        return SourceLocation(
            file: file, line: line + 1, column: column + 1, offset: offset, length: max(1, min(length, rest)))
    }

    /// The place of a byte.
    package func location(offset: Int, length: Int = 1) -> SourceLocation {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let from = min(lineStarts[low], offset)
        let column = bytes[from..<min(offset, bytes.count)].lazy.filter { $0 & 0xC0 != 0x80 }.count
        return SourceLocation(file: file, line: low + 1, column: column + 1, offset: offset, length: length)
    }

    /// The text of a line, counted from 1, without its end. Broken UTF-8 is shown as U+FFFD.
    package func line(_ number: Int) -> String? {
        guard number >= 1, number <= lineStarts.count else { return nil }
        let (start, end) = lineBounds(number - 1)
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private func lineBounds(_ line: Int) -> (start: Int, end: Int) {
        let start = lineStarts[line]
        var end = line + 1 < lineStarts.count ? lineStarts[line + 1] : bytes.count
        while end > start, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
        return (start, max(start, end))
    }
}
