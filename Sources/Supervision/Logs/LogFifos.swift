import CProcess
import Glibc
import Synchronization

/// The FIFOs of a project's sidecars, and what their pipes may take of the user's allowance.
///
/// Past `pipe-user-pages-soft` the kernel gives every later pipe of the user two pages, other programs' too; so all of
/// ours together stay under half of it. Usable from any thread.
final class LogFifos: Sendable {
    /// One output of one instance. The read end stays open from the first start until the instance is retired.
    struct Output: Sendable {
        var name: String
        var stream: LogStream
        var readEnd: Int32

        /// Leads to the FIFO itself, also when its name is gone.
        var path: String { "/proc/self/fd/\(readEnd)" }
    }

    private struct Allowance {
        var directory: FifoDirectory
        var pages: Int
        var used = 0
        var outputs: [LogInstance: [Output]] = [:]
        /// Whose read ends were handed out to be kept elsewhere too.
        var handedOut: Set<LogInstance> = []
        var isDiscarded = false
    }

    private static let page = 4096
    /// Fewer, and a pipe can be full with a line of a hundred bytes.
    private static let fewestPages = 4

    private let stateDirectory: String
    private let allowance: Mutex<Allowance>

    init(stateDirectory: String) throws(SystemError) {
        self.stateDirectory = stateDirectory
        let directory = try FifoDirectory(stateDirectory: stateDirectory)
        allowance = Mutex(Allowance(directory: directory, pages: Self.softLimit() / 2))
    }

    /// Everything is over: nothing of it stays, not even the directory.
    func discard() {
        allowance.withLock { allowance in
            allowance.isDiscarded = true
            allowance.directory.discard()
            for output in allowance.outputs.values.joined() { close(output.readEnd) }
            allowance.outputs = [:]
        }
    }

    deinit {
        allowance.withLock { allowance in
            for output in allowance.outputs.values.joined() { close(output.readEnd) }
        }
    }

    private static func softLimit() -> Int {
        guard let text = ProcFile.text("/proc/sys/fs/pipe-user-pages-soft"), let pages = Int(text.trimmed) else {
            return 16384
        }
        return pages == 0 ? .max : pages
    }

    /// The read ends of an instance, once for every time they are opened. Then empty.
    func handOutReadEnds(of instance: LogInstance) -> [Int32] {
        allowance.withLock { allowance in
            guard let outputs = allowance.outputs[instance], allowance.handedOut.insert(instance).inserted else {
                return []
            }
            return outputs.map(\.readEnd)
        }
    }

    /// What the processes of an instance that runs may write to, whatever was declared when they were started.
    func presentOutputs(of instance: LogInstance, merged: Bool) throws(SystemError) -> [Output] {
        if let known = allowance.withLock({ $0.outputs[instance] }) { return known }
        return try outputs(of: instance, merged: merged && !isThere(InstanceFifo.error.name(of: instance)))
    }

    private func isThere(_ name: String) -> Bool { withDirectory { faccessat($0, name, F_OK, 0) == 0 } }

    /// The outputs for a start, opened when they are not.
    func outputs(of instance: LogInstance, merged: Bool) throws(SystemError) -> [Output] {
        let known = allowance.withLock { $0.outputs[instance] }
        // One more than is needed may still hold what an earlier life wrote.
        if let known, merged || known.count == 2 { return known }
        if known != nil { forget(instance) }
        var opened: [Output] = []
        do throws(SystemError) {
            for stream in merged ? [LogStream.stdout] : [.stdout, .stderr] {
                opened.append(try openReadEnd(instance, stream))
            }
        } catch {
            for output in opened { close(output.readEnd) }
            throw error
        }
        let others = allowance.withLock { [opened] allowance -> [Output]? in
            if let others = allowance.outputs[instance] { return others }
            allowance.outputs[instance] = opened
            return nil
        }
        if let others {
            // A hook of it was as quick, on another thread.
            for output in opened { close(output.readEnd) }
            return others
        }
        for output in opened { settle(output) }
        return opened
    }

    /// Fails when what this instance needs would be among the last descriptors. One that has its FIFOs has its share.
    func checkRoom(for instance: LogInstance) throws(SystemError) {
        let (directory, others) = allowance.withLock { allowance in
            (allowance.directory, allowance.outputs[instance] == nil ? allowance.outputs.count : nil)
        }
        guard let others else { return }
        let isThere = withExtendedLifetime(directory) {
            DescriptorRoom.isThere(beside: others, probing: directory.descriptor)
        }
        guard isThere else { throw SystemError(call: "open the FIFOs", errno: EMFILE) }
    }

    /// The sidecar's end: open for reading too, so that it waits instead of getting SIGPIPE while nobody reads.
    func openSidecarEnd(_ output: Output) throws(SystemError) -> Int32 {
        var fd = withDirectory { openat($0, output.name, O_RDWR | O_CLOEXEC | O_NOFOLLOW) }
        // By its name is quicker, as long as it has one.
        if fd < 0 { fd = open(output.path, O_RDWR | O_CLOEXEC) }
        guard fd >= 0 else { throw .last("open \(output.name)") }
        return fd
    }

    private func openReadEnd(_ instance: LogInstance, _ stream: LogStream) throws(SystemError) -> Output {
        let name = (stream == .stderr ? InstanceFifo.error : .output).name(of: instance)
        let directory = try make(name)
        let fd = withExtendedLifetime(directory) {
            openat(directory.descriptor, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
        }
        guard fd >= 0 else { throw .last("open \(name)") }
        var facts = stat()
        guard fstat(fd, &facts) == 0, facts.st_mode & S_IFMT == S_IFIFO else {
            close(fd)
            throw SystemError(call: "open \(name) as a FIFO", errno: EINVAL)
        }
        return Output(name: name, stream: stream, readEnd: fd)
    }

    /// Answers the directory it is in now.
    @discardableResult
    func make(_ name: String) throws(SystemError) -> FifoDirectory {
        let (directory, isDiscarded) = allowance.withLock { ($0.directory, $0.isDiscarded) }
        // What was to be made ahead, and comes too late.
        guard !isDiscarded else { throw SystemError(call: "mkfifo \(name)", errno: ECANCELED) }
        if mkfifoat(directory.descriptor, name, 0o600) == 0 || errno == EEXIST { return directory }
        guard errno == ENOENT else { throw .last("mkfifo \(name)") }
        // The directory was removed, as a login's runtime directory is at its end. What runs needs no names.
        let renewed = try allowance.withLock { allowance throws(SystemError) in
            guard !allowance.isDiscarded else { throw SystemError(call: "mkfifo \(name)", errno: ECANCELED) }
            if allowance.directory === directory {
                allowance.directory = try FifoDirectory(stateDirectory: stateDirectory)
            }
            return allowance.directory
        }
        guard mkfifoat(renewed.descriptor, name, 0o600) == 0 || errno == EEXIST else { throw .last("mkfifo \(name)") }
        return renewed
    }

    /// The descriptor is good for the call alone: another thread may find the directory gone, and make a new one.
    private func withDirectory<Result>(_ body: (Int32) -> Result) -> Result {
        let directory = allowance.withLock { $0.directory }
        return withExtendedLifetime(directory) { body(directory.descriptor) }
    }

    /// Books a new pipe, smaller when many are open.
    private func settle(_ output: Output) {
        let size = Int(loop_pipe_size(output.readEnd)) / Self.page
        let shrinks = allowance.withLock { allowance in
            let shrinks = size > Self.fewestPages && allowance.used + size > allowance.pages / 16
            allowance.used += shrinks ? Self.fewestPages : size
            return shrinks
        }
        // It keeps its size when it holds more than would fit, as after a crash of the supervisor.
        if shrinks { _ = loop_pipe_resize(output.readEnd, Int32(Self.fewestPages * Self.page)) }
    }

    func size(of output: Output) -> Int { max(0, Int(loop_pipe_size(output.readEnd))) }

    /// Nobody holds the other end.
    func isEnded(_ output: Output) -> Bool { Self.isEnded(output.readEnd) }

    static func isEnded(_ readEnd: Int32) -> Bool {
        // A writer that comes and goes makes the kernel say so even where the last one left before we opened ours.
        let writer = open("/proc/self/fd/\(readEnd)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        if writer >= 0 { close(writer) }
        var reader = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        return poll(&reader, 1, 0) == 1 && reader.revents & Int16(POLLHUP) != 0
    }

    /// Answers the size in bytes it has afterwards.
    func grow(_ output: Output, to bytes: Int) -> Int {
        let size = Int(loop_pipe_size(output.readEnd))
        let more = (bytes - size) / Self.page
        guard more > 0 else { return size }
        let allowed = allowance.withLock { allowance in
            guard allowance.used + more <= allowance.pages else { return false }
            allowance.used += more
            return true
        }
        guard allowed else { return size }
        let grown = Int(loop_pipe_resize(output.readEnd, Int32(bytes)))
        if grown < bytes { allowance.withLock { $0.used -= more } }
        return max(grown, size)
    }

    /// Closes our ends. The FIFOs' files stay for who still writes.
    func forget(_ instance: LogInstance) {
        let outputs = allowance.withLock { allowance in
            allowance.handedOut.remove(instance)
            return allowance.outputs.removeValue(forKey: instance) ?? []
        }
        for output in outputs {
            let pages = Int(loop_pipe_size(output.readEnd)) / Self.page
            allowance.withLock { $0.used = max(0, $0.used - pages) }
            close(output.readEnd)
        }
    }

    func remove(_ instance: LogInstance) {
        withDirectory { directory in
            for fifo in InstanceFifo.allCases { unlinkat(directory, fifo.name(of: instance), 0) }
            unlinkat(directory, Self.dropsName(of: instance), 0)
        }
    }

    // MARK: Dropped lines

    private static func dropsName(of instance: LogInstance) -> String { "\(instance.stem).drops" }

    /// For whoever comes after this supervisor. 0 forgets them.
    func rememberDrops(_ lines: Int, of instance: LogInstance) {
        withDirectory { directory in
            let name = Self.dropsName(of: instance)
            guard lines > 0 else { return _ = unlinkat(directory, name, 0) }
            let fd = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard fd >= 0 else { return }
            ftruncate(fd, lines)
            close(fd)
        }
    }

    func rememberedDrops(of instance: LogInstance) -> Int {
        withDirectory { directory in
            var facts = stat()
            guard fstatat(directory, Self.dropsName(of: instance), &facts, AT_SYMLINK_NOFOLLOW) == 0,
                facts.st_mode & S_IFMT == S_IFREG
            else { return 0 }
            return Int(facts.st_size)
        }
    }

    /// Nil: there is none, or it can't be opened.
    func openEnd(_ name: String, _ flags: Int32) -> Int32? {
        let fd = withDirectory { openat($0, name, flags | O_CLOEXEC | O_NOFOLLOW) }
        return fd < 0 ? nil : fd
    }

    func unlink(_ name: String) { withDirectory { _ = unlinkat($0, name, 0) } }

    func readEnds(of instance: LogInstance) -> [Int32] {
        allowance.withLock { $0.outputs[instance]?.map(\.readEnd) } ?? []
    }
}
