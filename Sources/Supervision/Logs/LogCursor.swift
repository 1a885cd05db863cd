import Glibc

/// Reads the log of one instance forwards, over rotated files into the current one, and goes on when more is written.
///
/// It only takes whole lines: a half one is either still being written or will be mended away.
final class LogCursor {
    let source: LogSource
    private var file: OpenFile?
    private var buffer: [UInt8] = []
    /// Where in `buffer` the next line starts.
    private var start = 0
    private var pieces: [LogStream: LogLine] = [:]
    private var lastTime: WallTime?

    private struct OpenFile {
        var descriptor: Int32
        var inode: UInt64
        /// As it was called when it was opened; the current file gets another one when it is rotated.
        var name: String
        var offset: Int
    }

    init(_ source: LogSource) { self.source = source }

    deinit { if let file { close(file.descriptor) } }

    /// The next line, with its pieces put together, and the time to place it by. Nil: no more for now.
    func next() -> (line: LogLine, time: WallTime)? {
        while let line = nextPiece() {
            if let time = line.time { lastTime = time }
            let time = line.time ?? lastTime ?? WallTime(microseconds: 0)
            var whole = line
            if var open = pieces.removeValue(forKey: line.stream) {
                open.text += line.text
                open.isPartial = line.isPartial
                whole = open
            }
            // Something is shown of a line that never ends.
            if whole.isPartial, whole.text.count < 1 << 20 {
                pieces[line.stream] = whole
                continue
            }
            return (whole, whole.time ?? time)
        }
        return nil
    }

    private func nextPiece() -> LogLine? {
        while true {
            if let newline = buffer[start...].firstIndex(of: 0x0a) {
                let line = buffer[start..<newline].withUnsafeBytes { LogLine(parsing: $0) }
                start = newline + 1
                return line
            }
            guard refill() || advance() else { return nil }
        }
    }

    /// Reads on in the file that is open. False: nothing more in it now.
    private func refill() -> Bool {
        guard var current = file else { return false }
        let pending = buffer.count - start
        let room = max(64 << 10, pending)
        let more = [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
            filled = max(0, pread(current.descriptor, buffer.baseAddress, room, off_t(current.offset)))
        }
        // The half line is read again with the rest: it may have been mended meanwhile.
        guard let last = more.lastIndex(of: 0x0a) else {
            return more.count == room && growHalfLine(more, &current)
        }
        buffer = Array(more[...last])
        start = 0
        current.offset += last + 1
        file = current
        return true
    }

    /// No line is that long; what has no newline in so much is no log of ours, and is taken as it stands.
    private func growHalfLine(_ bytes: [UInt8], _ current: inout OpenFile) -> Bool {
        buffer = bytes + [0x0a]
        start = 0
        current.offset += bytes.count
        file = current
        return true
    }

    // MARK: Files

    /// Opens the next file. False: there is none.
    private func advance() -> Bool {
        let files = source.files()
        guard let current = file else {
            guard let first = files.first else { return false }
            return open(first)
        }
        let place = files.firstIndex { Self.inode(of: source.directory + "/" + $0) == current.inode }
        let next: String?
        if let place {
            next = place + 1 < files.count ? files[place + 1] : nil
        } else {
            // Rotated and removed meanwhile: what followed it is the oldest that is newer than it.
            next = files.first { $0 > current.name || $0 == source.instance.fileName }
        }
        guard let next else { return false }
        // What was appended between our last look and the rotation.
        if refill() { return true }
        return open(next)
    }

    private func open(_ name: String, at offset: Int = 0) -> Bool {
        let fd = Glibc.open(source.directory + "/" + name, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return false }
        var facts = stat()
        fstat(fd, &facts)
        if let file { close(file.descriptor) }
        file = OpenFile(descriptor: fd, inode: UInt64(facts.st_ino), name: name, offset: offset)
        buffer = []
        start = 0
        return true
    }

    private static func inode(of path: String) -> UInt64? {
        var facts = stat()
        return stat(path, &facts) == 0 ? UInt64(facts.st_ino) : nil
    }

    /// Goes to where at least so many lines follow, or to the start.
    func seek(backLines count: Int) {
        var left = count
        for name in source.files().reversed() {
            guard open(name), let current = file else { continue }
            var facts = stat()
            fstat(current.descriptor, &facts)
            var end = Int(facts.st_size)
            var isLast = true
            while end > 0 {
                let begin = max(0, end - (64 << 10))
                let bytes = [UInt8](unsafeUninitializedCapacity: end - begin) { buffer, filled in
                    filled = max(0, pread(current.descriptor, buffer.baseAddress, end - begin, off_t(begin)))
                }
                for (index, byte) in bytes.enumerated().reversed() where byte == 0x0a {
                    // The newline at the very end closes a line, the others start one.
                    if isLast {
                        isLast = false
                    } else {
                        left -= 1
                    }
                    if left == 0 {
                        file?.offset = begin + index + 1
                        return
                    }
                }
                end = begin
            }
            // The first line of the file has no newline before it.
            if !isLast { left -= 1 }
            if left <= 0 { return }
        }
    }
}
