import Glibc

/// Reads the log of one instance forwards, over rotated files into the current one, and goes on when more is written.
///
/// It only takes whole lines: a half one is either still being written or will be mended away.
final class LogCursor {
    /// Longer than any that is written, with each byte escaped; and as much of one as is put together.
    private static let longestLine = 1 << 20

    let source: LogSource
    private var file: OpenFile?
    private var buffer: [UInt8] = []
    /// Where in `buffer` the next line starts.
    private var start = 0
    private var pieces: [LogStream: LogLine] = [:]
    private var lastTime: WallTime?

    private struct OpenFile {
        var content: LogContent
        /// As it was called when it was opened; the current file gets another one when it is rotated.
        var name: String
        var offset: Int
        var inode: UInt64
    }

    /// Where the log ended when that was marked: in which file, after how many bytes.
    private var mark: (inode: UInt64, size: Int)?

    init(_ source: LogSource) { self.source = source }

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
            if whole.isPartial, whole.text.count < Self.longestLine {
                pieces[line.stream] = whole
                continue
            }
            return (whole, whole.time ?? time)
        }
        return nil
    }

    // MARK: What was there

    /// What is written from now on comes after the end.
    func markEnd() {
        var written = stat()
        let isThere = stat(pathOfWritten, &written) == 0
        mark = isThere ? (UInt64(written.st_ino), Int(written.st_size)) : (0, 0)
    }

    /// Whether all that was there has been given when the end was marked.
    var isPastEnd: Bool {
        guard let mark else { return false }
        // While a file is rotated none is written.
        guard let file else { return mark.inode == 0 && source.files().isEmpty }
        if file.inode == mark.inode { return file.offset - (buffer.count - start) >= mark.size }
        // Another one is written by now, and it is this.
        return file.name == source.instance.fileName
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
        var room = max(64 << 10, pending)
        var more = current.content.read(room, at: current.offset)
        while more.count == room, room < Self.longestLine, !more.contains(0x0a) {
            room *= 2
            more = current.content.read(room, at: current.offset)
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
        guard let current = file else { return openNext(after: nil) }
        guard let name = nameOfFinished(current) else { return false }
        // What was appended between our last look and the rotation.
        if refill() { return true }
        return openNext(after: name)
    }

    /// Opens the first file that was begun after that one was.
    private func openNext(after name: String?) -> Bool {
        while true {
            // Held, so that no later file can be taken for it.
            let written = LogContent(path: pathOfWritten)
            let names = source.files().filter { $0 > name ?? "" || $0 == source.instance.fileName }
            guard openFirst(of: names) else { return false }
            // What was rotated while we looked comes before the one that has its old name now.
            if written.map(isWritten) ?? (access(pathOfWritten, F_OK) != 0) { return true }
        }
    }

    private var pathOfWritten: String { source.directory + "/" + source.instance.fileName }

    private func isWritten(_ content: LogContent) -> Bool {
        var written = stat()
        var ours = stat()
        return stat(pathOfWritten, &written) == 0 && fstat(content.descriptor, &ours) == 0
            && written.st_dev == ours.st_dev && written.st_ino == ours.st_ino
    }

    /// The name by which others follow it. Nil: it is still the one that is written.
    private func nameOfFinished(_ file: OpenFile) -> String? {
        guard file.name == source.instance.fileName else { return file.name }
        return isWritten(file.content) ? nil : Self.presentName(of: file.content.descriptor) ?? file.name
    }

    /// What an open file is called now, or was called last: it may be compressed or removed by now.
    private static func presentName(of descriptor: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let mark = " (deleted)"
        return (path.hasSuffix(mark) ? path.dropLast(mark.count) : path[...]).split(separator: "/").last.map(
            String.init)
    }

    /// The first of them that is still there.
    private func openFirst(of names: [String]) -> Bool { names.contains { open($0) } }

    private func open(_ name: String, at offset: Int = 0) -> Bool {
        guard let content = LogContent(path: source.directory + "/" + name) else { return false }
        var facts = stat()
        fstat(content.descriptor, &facts)
        file = OpenFile(content: content, name: name, offset: offset, inode: UInt64(facts.st_ino))
        buffer = []
        start = 0
        return true
    }

    /// Goes to where at least so many lines follow, or to the start.
    func seek(backLines count: Int) {
        var left = count
        for name in source.files().reversed() where open(name) {
            guard let last = file?.content.lastLines(left) else { return }
            file?.offset = last.start
            left -= last.count
            if left <= 0 { return }
        }
    }
}
