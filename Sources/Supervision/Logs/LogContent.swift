import CZlib
import Glibc

/// What one log file says, by position, whether it is compressed or not.
final class LogContent {
    let descriptor: Int32
    /// Of a compressed one.
    private var inflater: gzFile?
    /// What was inflated last; reading goes on here, and a little before.
    private var window: [UInt8] = []
    private var windowStart = 0

    /// Nil: it is not there any more. The path is that of the file before it was compressed.
    init?(path: String) {
        // Compressed just now, a file has either form, or for a moment both.
        for (form, isCompressed) in [
            (path + LogCompressor.suffix, true), (path, false), (path + LogCompressor.suffix, true),
        ] {
            let descriptor = open(form, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            // Where others may write there may be anything under that name.
            var facts = stat()
            guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
                close(descriptor)
                continue
            }
            self.descriptor = descriptor
            if isCompressed {
                // Zlib closes it.
                inflater = gzdopen(descriptor, "rb")
                if inflater != nil { gzbuffer(inflater, 64 << 10) }
            }
            return
        }
        return nil
    }

    deinit { if let inflater { gzclose(inflater) } else { close(descriptor) } }

    /// Up to so many bytes. Empty at the end.
    func read(_ count: Int, at offset: Int) -> [UInt8] {
        guard let inflater else {
            return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = max(0, pread(descriptor, buffer.baseAddress, count, off_t(offset)))
            }
        }
        if offset < windowStart || offset > windowStart + window.count {
            guard gzseek(inflater, off_t(offset), SEEK_SET) >= 0 else { return [] }
            window = []
        } else {
            window.removeFirst(offset - windowStart)
        }
        windowStart = offset
        if window.count < count { inflate(count - window.count, from: inflater) }
        return Array(window.prefix(count))
    }

    private func inflate(_ count: Int, from inflater: gzFile) {
        window += [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, Int(gzread(inflater, buffer.baseAddress, UInt32(clamping: count))))
        }
    }

    // MARK: The last lines

    /// Where the last so many lines start, and how many they are if there are fewer.
    func lastLines(_ count: Int) -> (start: Int, count: Int) {
        inflater == nil ? lastLinesBackwards(count) : lastLinesForwards(count)
    }

    private func lastLinesBackwards(_ count: Int) -> (start: Int, count: Int) {
        var facts = stat()
        fstat(descriptor, &facts)
        var end = Int(facts.st_size)
        var newlines = 0
        while end > 0 {
            let begin = max(0, end - (64 << 10))
            let bytes = read(end - begin, at: begin)
            for (index, byte) in bytes.enumerated().reversed() where byte == 0x0a {
                // The one at the very end closes a line, the others start one.
                if newlines == count { return (begin + index + 1, count) }
                newlines += 1
            }
            end = begin
        }
        return (0, newlines)
    }

    /// What is compressed can't be read from its end.
    private func lastLinesForwards(_ count: Int) -> (start: Int, count: Int) {
        var starts: [Int] = []
        var start = 0
        var position = 0
        while true {
            let bytes = read(64 << 10, at: position)
            guard !bytes.isEmpty else { break }
            for (index, byte) in bytes.enumerated() where byte == 0x0a {
                starts.append(start)
                start = position + index + 1
            }
            // In bulk: one at a time would move the rest each time.
            if starts.count > 2 * count + 1024 { starts.removeFirst(starts.count - count) }
            position += bytes.count
        }
        let last = starts.suffix(count)
        return (last.first ?? start, last.count)
    }
}
