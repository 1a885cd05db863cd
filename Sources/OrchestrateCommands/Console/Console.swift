import Glibc
import Synchronization

/// Standard output and error, written at once and whole.
enum Console {
    /// Why standard output could not be written, an `errno`; 0 when all of it was, or nobody was left to read it.
    private static let failure = Atomic<Int32>(0)

    /// What was asked for did not arrive whole. Not nil: why.
    static var lostOutput: String? {
        let number = failure.load(ordering: .relaxed)
        return number == 0 ? nil : String(cString: strerror(number)).lowercased()
    }

    static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    static func printError(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    // MARK: Nobody reads

    /// Standard output, where it is a pipe.
    static let pipe: Int32? = {
        var facts = stat()
        return fstat(STDOUT_FILENO, &facts) == 0 && facts.st_mode & S_IFMT == S_IFIFO ? STDOUT_FILENO : nil
    }()

    /// As a write would: by SIGPIPE, unless that is ignored.
    static func endUnread() -> Never {
        raise(SIGPIPE)
        exit(0)
    }

    /// What is not to wait until somebody reads the output: signals arrive only where they are looked for, and the end
    /// of a lease.
    struct Interruption {
        var descriptor: Int32
        var events: Int16
        /// Asked when the descriptor has something: whether the output is to be given up for it.
        var isUrgent: () -> Bool
    }

    // A command runs on one thread.
    nonisolated(unsafe) private static var interruptions: [Interruption] = []
    /// Given up for something: what is for these is dropped until there is room again.
    nonisolated(unsafe) private static var stuck: Set<Int32> = []
    /// A pipe that polls as writable takes so much without waiting.
    private static let piece = Int(PIPE_BUF)

    /// The command was asked to end: what it still has to say waits a moment for a reader, and no longer.
    nonisolated(unsafe) static var isLeaving = false

    /// A terminal takes less than a pipe, and a write that waits for it hears of nothing: what is written without waiting
    /// goes through a description of our own, as the one we were given is shared.
    nonisolated(unsafe) private static var unwaitingDescriptors: [Int32: Int32] = [:]

    private static func unwaiting(_ descriptor: Int32) -> Int32 {
        guard !interruptions.isEmpty, isatty(descriptor) == 1 else { return descriptor }
        if let known = unwaitingDescriptors[descriptor] { return known }
        let own = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        unwaitingDescriptors[descriptor] = own >= 0 ? own : descriptor
        return own >= 0 ? own : descriptor
    }

    static func watch(_ interruption: Interruption) { interruptions.append(interruption) }

    static func unwatch(_ descriptor: Int32) { interruptions.removeAll { $0.descriptor == descriptor } }

    /// False: it is not waited for, or not any more.
    /// - Parameter isFull: it has just taken nothing. A terminal may have room for one byte, and need it for two.
    private static func awaitRoom(in descriptor: Int32, isFull: Bool) -> Bool {
        while true {
            var entries = [pollfd(fd: descriptor, events: isFull ? 0 : Int16(POLLOUT), revents: 0)]
            entries += interruptions.map { pollfd(fd: $0.descriptor, events: $0.events, revents: 0) }
            let patience: Int32 = stuck.contains(descriptor) ? 0 : isLeaving ? 1000 : isFull ? 10 : -1
            let found = poll(&entries, nfds_t(entries.count), patience)
            if found < 0 {
                guard errno != EINTR else { continue }
                return true
            }
            if entries[0].revents != 0 { return true }
            let isUrgent = zip(interruptions, entries.dropFirst()).contains { $1.revents != 0 && $0.isUrgent() }
            if isUrgent || (isLeaving && found == 0) { stuck.insert(descriptor) }
            if stuck.contains(descriptor) { return false }
            if isFull { return true }
        }
    }

    /// Without a newline.
    static func write(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
        var text = text
        let target = unwaiting(descriptor)
        text.withUTF8 { bytes in
            var written = 0
            var isFull = false
            while written < bytes.count {
                var size = bytes.count - written
                if !interruptions.isEmpty {
                    guard awaitRoom(in: descriptor, isFull: isFull) else { return }
                    size = min(size, piece)
                }
                let count = Glibc.write(target, bytes.baseAddress?.advanced(by: written), size)
                isFull = count < 0 && errno == EAGAIN
                if count > 0 {
                    written += count
                    stuck.remove(descriptor)
                } else if isFull, !interruptions.isEmpty {
                    continue
                } else if count < 0, errno == EAGAIN {
                    // The terminal was left non-blocking by someone.
                    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&entry, 1, -1)
                } else if count < 0, errno != EINTR {
                    if descriptor == STDOUT_FILENO, errno != EPIPE { failure.store(errno, ordering: .relaxed) }
                    return
                }
            }
        }
    }
}

/// What the output goes to, and what it can show.
struct Terminal: Sendable {
    var isInteractive: Bool
    var usesColor: Bool
    var columns: Int
    var rows: Int
    /// What got too wide when it was made narrower takes several rows, as with most terminals.
    var wrapsAnew = true

    init(isInteractive: Bool, usesColor: Bool, columns: Int = 80, rows: Int = 24) {
        self.isInteractive = isInteractive
        self.usesColor = usesColor
        self.columns = columns
        self.rows = rows
    }

    /// `NO_COLOR`, `CI` and `TERM=dumb` are honoured; a pipe is neither interactive nor coloured.
    init(descriptor: Int32 = STDOUT_FILENO, environment: [String: String]) {
        func isSet(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }
        let isTerminal = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
        self.init(isInteractive: isTerminal && !isSet("CI"), usesColor: isTerminal && !isSet("NO_COLOR"))
        // xterm itself and the console of Linux cut it off, unless tmux stands between.
        wrapsAnew = isSet("TMUX") || !isSet("XTERM_VERSION") && environment["TERM"] != "linux"
        if isTerminal { measure(descriptor) }
    }

    /// As large as it is now: its window may have been resized.
    mutating func measure(_ descriptor: Int32 = STDOUT_FILENO) {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return }
        if size.ws_col > 0 { columns = Int(size.ws_col) }
        if size.ws_row > 0 { rows = Int(size.ws_row) }
    }

    /// Nil: standard error is no terminal.
    static var columnsOfErrors: Int? {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
    }

    var palette: Palette { Palette(isOn: usesColor) }
}
