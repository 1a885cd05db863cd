import CProcess
import Glibc

/// Carries bytes between this command's input and output and a sidecar's, until one of them ends.
struct AttachRelay: ~Copyable {
    enum End {
        /// The input ended, the keys were pressed, or nobody reads the output.
        case detached
        case interrupted
        case sidecarEnded
    }

    private static let chunk = 65_536

    /// The sidecar's standard input; -1 once nobody reads it.
    private var input: Int32
    private let output: Int32
    /// Readable when the sidecar has ended.
    private let process: Int32
    private let linger: Duration
    private let keys: DetachKeys?
    private let signals: SignalWatch

    private var toSidecar: [UInt8] = []
    private var toReader: [UInt8] = []
    private var inputIsOpen = true
    /// Somebody can still print.
    private var outputIsOpen = true
    /// Without an input: when it has been quiet for long enough.
    private var deadline: ContinuousClock.Instant?
    /// Of a sidecar that has ended: what it still has to say, in bytes.
    private var lastWords: Int?

    init(
        input: Int32, output: Int32, process: Int32, linger: Duration, keys: DetachKeys?, signals: SignalWatch
    ) {
        self.input = input
        self.output = output
        self.process = process
        self.linger = linger
        self.keys = keys
        self.signals = signals
    }

    mutating func run() -> End {
        while true {
            if let lastWords, lastWords == 0, toReader.isEmpty { return .sidecarEnded }
            if !inputIsOpen, toSidecar.isEmpty, deadline == nil {
                if keys != nil { return .detached }
                deadline = .now + linger
            }
            if let deadline, toReader.isEmpty, lastWords == nil, deadline <= .now { return .detached }
            let ready = wait()
            if ready.contains(.signal), let signal = signals.next(), signal != SIGWINCH { return .interrupted }
            if ready.contains(.ended), lastWords == nil {
                // All it wrote is in the FIFO by now; what a successor writes is not for us.
                lastWords = max(0, Int(loop_bytes_readable(output)))
            }
            if ready.contains(.typed), !takeInput() { return .detached }
            if ready.contains(.takes) { passInput() }
            if ready.contains(.printed) { takeOutput() }
            if ready.contains(.shows), !passOutput() { return .detached }
        }
    }

    // MARK: Waiting

    private struct Readiness: OptionSet {
        let rawValue: Int
        static let signal = Readiness(rawValue: 1)
        static let ended = Readiness(rawValue: 2)
        static let typed = Readiness(rawValue: 4)
        static let takes = Readiness(rawValue: 8)
        static let printed = Readiness(rawValue: 16)
        static let shows = Readiness(rawValue: 32)
    }

    /// A side is only asked for what the other side has taken before: who is slow makes the other wait.
    private func wait() -> Readiness {
        var entries: [pollfd] = []
        var meanings: [Readiness] = []
        func add(_ descriptor: Int32, _ events: Int32, _ meaning: Readiness) {
            entries.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
            meanings.append(meaning)
        }
        add(signals.descriptor, POLLIN, .signal)
        if lastWords == nil { add(process, POLLIN, .ended) }
        if inputIsOpen, toSidecar.isEmpty { add(STDIN_FILENO, POLLIN, .typed) }
        if !toSidecar.isEmpty { add(input, POLLOUT, .takes) }
        if !toReader.isEmpty {
            add(STDOUT_FILENO, POLLOUT, .shows)
        } else if outputIsOpen {
            add(output, POLLIN, .printed)
        }
        guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else { return [] }
        var ready: Readiness = []
        for (entry, meaning) in zip(entries, meanings) where entry.revents != 0 { ready.insert(meaning) }
        return ready
    }

    private var milliseconds: Int32 {
        guard let deadline, toReader.isEmpty, lastWords == nil else { return -1 }
        return Int32(clamping: max(0, Int64((deadline - .now) / .milliseconds(1)) + 1))
    }

    // MARK: From here to the sidecar

    /// False: the keys were pressed.
    private mutating func takeInput() -> Bool {
        guard let bytes = Self.read(STDIN_FILENO, Self.chunk) else { return true }
        if bytes.isEmpty { inputIsOpen = false }
        if let keys {
            guard let passed = keys.passed(bytes) else { return false }
            toSidecar = passed
        } else {
            toSidecar = bytes
        }
        // Nobody reads it: nothing can be done but throw it away, as a closed pipe does.
        if input < 0 { toSidecar = [] }
        return true
    }

    private mutating func passInput() {
        guard let count = Self.write(toSidecar, to: input) else {
            input = -1
            toSidecar = []
            return
        }
        toSidecar.removeFirst(count)
    }

    // MARK: From the sidecar to here

    private mutating func takeOutput() {
        let limit = min(Self.chunk, lastWords ?? Self.chunk)
        guard limit > 0, let bytes = Self.read(output, limit) else { return }
        toReader = bytes
        if bytes.isEmpty { outputIsOpen = false }
        if let words = lastWords { lastWords = outputIsOpen ? words - bytes.count : 0 }
        if deadline != nil { deadline = .now + linger }
    }

    /// False: nobody reads it any more.
    private mutating func passOutput() -> Bool {
        // A pipe that takes anything takes that much without blocking.
        guard let count = Self.write(Array(toReader.prefix(4096)), to: STDOUT_FILENO) else { return false }
        toReader.removeFirst(count)
        return true
    }

    // MARK: Bytes

    /// Nil: nothing there after all. Empty: the end.
    private static func read(_ descriptor: Int32, _ limit: Int) -> [UInt8]? {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let got = Glibc.read(descriptor, buffer.baseAddress, limit)
            failure = got < 0 ? errno : 0
            count = max(0, got)
        }
        return failure == EAGAIN || failure == EINTR ? nil : bytes
    }

    /// Nil: nobody reads there.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int? {
        let count = Glibc.write(descriptor, bytes, bytes.count)
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? 0 : nil
    }
}
