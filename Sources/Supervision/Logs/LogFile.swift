import CProcess
import Glibc
import SidecarModel

/// The log file of one instance and those rotated before it. Used by one thread.
final class LogFile {
    private let instance: LogInstance
    let directory: String
    var spec: LogSpec
    private let compressor: LogCompressor
    private var descriptor: Int32 = -1
    /// Always the end of a line.
    private(set) var size = 0
    private var firstWritten: WallTime?
    private var rotated: [String]?
    /// Of the rotated ones, those that stand as they were written.
    private var uncompressed: [String] = []
    private var lastRotation: WallTime?

    init(instance: LogInstance, directory: String, spec: LogSpec, compressor: LogCompressor) {
        self.instance = instance
        self.directory = directory
        self.spec = spec
        self.compressor = compressor
    }

    deinit { shut() }

    /// It is opened again for the next line.
    func shut() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
    }

    /// Gives its descriptor back where there are few left.
    func makeRoomForOthers() { if DescriptorRoom.needs(descriptor) { shut() } }

    var path: String { directory + "/" + instance.fileName }

    /// Something was written at some time, by us or before us.
    var isThere: Bool { descriptor >= 0 || access(path, F_OK) == 0 }

    private var limit: Int { max(1, Int(clamping: spec.maxSize.bytes)) }

    /// How much may be appended before the file is to be rotated.
    func room(at time: WallTime) throws(SystemError) -> Int {
        try open()
        if size >= limit || isTooOld(at: time) { makeRoom(at: time) }
        return size >= limit ? .max : limit - size
    }

    /// Rotates, for a line that does not fit. A fresh file takes a line of any length; and where the directory does not
    /// allow a rotation the lines go on into the file there is: too long beats lost.
    func makeRoom(at time: WallTime) { if size > 0 { try? rotate(at: time) } }

    /// Appends whole lines in one write. When it fails nothing of them stays.
    func append(_ lines: UnsafeRawBufferPointer, at time: WallTime) throws(SystemError) {
        try open()
        var done = 0
        while done < lines.count {
            let count = write(descriptor, lines.baseAddress?.advanced(by: done), lines.count - done)
            if count > 0 {
                done += count
            } else if count < 0, errno == EINTR {
                continue
            } else {
                let failure = SystemError(call: "write \(path)", errno: count == 0 ? ENOSPC : errno)
                // Half a line would be read as one; they are still in the pipe and come again as a whole.
                if done > 0 { ftruncate(descriptor, off_t(size)) }
                throw failure
            }
        }
        size += done
        if firstWritten == nil { firstWritten = time }
    }

    func append(_ line: [UInt8], at time: WallTime) throws(SystemError) {
        var failure: SystemError?
        line.withUnsafeBytes { bytes in
            do throws(SystemError) { try append(bytes, at: time) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func isTooOld(at time: WallTime) -> Bool {
        guard let maxAge = spec.maxAge, let firstWritten else { return false }
        return time.microseconds - firstWritten.microseconds > maxAge.nanoseconds / 1000
    }

    // MARK: Opening

    func open() throws(SystemError) {
        guard descriptor < 0 else { return }
        // `logs.dir` may be a place where others write: what is no plain file of ours is left alone, and no link is
        // followed. Nor is waited for who reads a FIFO.
        let flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        var fd = Glibc.open(path, flags, 0o600)
        if fd < 0, errno == ENOENT {
            try Directory.create(directory)
            fd = Glibc.open(path, flags, 0o600)
        }
        guard fd >= 0 else { throw .last("open \(path)") }
        guard Self.isOwn(fd) else {
            close(fd)
            throw SystemError(call: "open \(path), which is no plain file of this user", errno: EPERM)
        }
        descriptor = fd
        do throws(SystemError) {
            try mend()
        } catch {
            close(fd)
            descriptor = -1
            throw error
        }
    }

    /// A plain file of this user that has no second name.
    private static func isOwn(_ descriptor: Int32) -> Bool {
        var facts = stat()
        return fstat(descriptor, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG && facts.st_uid == geteuid()
            && facts.st_nlink <= 1
    }

    /// A writer killed in the middle of a write leaves a torn line behind; what it held is still in the pipe.
    private func mend() throws(SystemError) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw .last("stat \(path)") }
        var end = Int(facts.st_size)
        let whole = end
        let chunk = 64 << 10
        let found: SystemError? = withUnsafeTemporaryAllocation(byteCount: chunk, alignment: 16) { buffer in
            while end > 0 {
                let start = max(0, end - chunk)
                let count = pread(descriptor, buffer.baseAddress, end - start, off_t(start))
                guard count == end - start else { return .last("read \(path)") }
                if let base = buffer.baseAddress, let newline = loop_find_last(base, 0x0a, count) {
                    end = start + (UnsafeRawPointer(newline) - UnsafeRawPointer(base)) + 1
                    return nil
                }
                end = start
            }
            return nil
        }
        if let found { throw found }
        if end < whole, ftruncate(descriptor, off_t(end)) != 0 { throw .last("truncate \(path)") }
        size = end
        firstWritten = size == 0 ? nil : WallTime(microseconds: Int64(facts.st_mtim.tv_sec) * 1_000_000)
    }

    /// The last bytes of the file, from the start of a line.
    func tail(_ count: Int) throws(SystemError) -> [UInt8] {
        try open()
        let length = min(count, size)
        let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
            filled = max(0, pread(descriptor, buffer.baseAddress, length, off_t(size - length)))
        }
        guard length < size, let newline = bytes.firstIndex(of: 0x0a) else { return bytes }
        return Array(bytes[(newline + 1)...])
    }

    // MARK: Rotation

    /// One rename, so a crash leaves either the file before or the file after; a missing current file is just created.
    func rotate(at time: WallTime) throws(SystemError) {
        var old = try rotatedFiles()
        var stamp = time
        if let lastRotation, stamp <= lastRotation { stamp = WallTime(microseconds: lastRotation.microseconds + 1) }
        var name = instance.rotatedName(at: stamp)
        while let newest = old.last, name <= newest {
            // The wall clock went back: names keep the order of the lines all the same.
            guard let previous = Self.time(of: newest, instance) else { break }
            stamp = WallTime(microseconds: previous.microseconds + 1)
            name = instance.rotatedName(at: stamp)
        }
        // Someone may have taken the file away; then there is nothing to keep.
        guard rename(path, directory + "/" + name) == 0 || errno == ENOENT else { throw .last("rename \(path)") }
        shut()
        firstWritten = nil
        lastRotation = stamp
        old.append(name)
        uncompressed.append(name)
        rotated = prune(old, at: time)
        if spec.compress { compress() }
        try open()
    }

    /// Removes what is too old or too much, and puts the present file aside when its turn has come.
    /// - Returns: when to look again; nil: age is no matter.
    func expire(at time: WallTime) -> WallTime? {
        let wasShut = descriptor < 0
        if isThere { try? open() }
        if isTooOld(at: time) { makeRoom(at: time) }
        if let names = try? rotatedFiles() { rotated = prune(names, at: time) }
        if wasShut { shut() }
        guard let maxAge = spec.maxAge else { return nil }
        let oldest = rotated?.first.flatMap { Self.time(of: $0, instance) }
        // Where the directory does not allow a rotation there is nothing to be done about what is too old.
        let present = isTooOld(at: time) ? nil : firstWritten
        let first = [oldest, present].compactMap(\.self).min() ?? time
        return WallTime(microseconds: first.microseconds + maxAge.nanoseconds / 1000 + 1)
    }

    private func prune(_ names: [String], at time: WallTime) -> [String] {
        let kept = max(0, spec.maxFiles - 1)
        var excess = max(0, names.count - kept)
        if let maxAge = spec.maxAge {
            let oldest = time.microseconds - maxAge.nanoseconds / 1000
            while excess < names.count, let stamp = Self.time(of: names[excess], instance),
                stamp.microseconds < oldest
            {
                excess += 1
            }
        }
        for name in names[..<excess] { LogCompressor.remove(directory + "/" + name) }
        return Array(names[excess...])
    }

    /// Those too that were left when an earlier supervisor was killed, or `compress` was off.
    private func compress() {
        for name in uncompressed { compressor.compress(directory + "/" + name) }
        uncompressed = []
    }

    /// Oldest first.
    private func rotatedFiles() throws(SystemError) -> [String] {
        if let rotated { return rotated }
        let names = try Directory.names(in: directory, beginningWith: instance.stem + ".")
        let found = Set(names.compactMap(instance.rotatedName))
        uncompressed = names.filter(found.contains).sorted()
        return found.sorted()
    }

    private static func time(of name: String, _ instance: LogInstance) -> WallTime? {
        let stamp = Array(name.utf8.dropFirst(instance.stem.utf8.count + 1).prefix(23))
        guard stamp.count == 23 else { return nil }
        var text: [UInt8] = []
        for (index, byte) in stamp.enumerated() {
            if index == 4 || index == 6 { text.append(UInt8(ascii: "-")) }
            if index == 11 || index == 13 { text.append(UInt8(ascii: ":")) }
            text.append(byte)
        }
        return WallTime(parsing: text)
    }
}
