import ControlAPI
import Glibc

/// The descriptor of `--ready-fd`: one line, and then it is closed. Its reader may be slow, or gone; neither holds up
/// what else there is to do.
final class ReadyChannel {
    private enum State {
        case open
        case writing(ArraySlice<UInt8>)
        case closed
    }

    private let descriptor: Int32
    private var state = State.open
    /// A pipe that polls as writable takes as much at once.
    private static let piece = 4096

    /// Why it can't be written to, as a sentence; nil when it can.
    static func obstacle(to descriptor: Int32) -> String? {
        guard descriptor > STDERR_FILENO else { return "0, 1 and 2 have their use; give it one of its own" }
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0 else { return "no such descriptor is open" }
        return flags & O_ACCMODE == O_RDONLY ? "it is not open for writing" : nil
    }

    /// Takes it over: nothing we start inherits it, so that its end is seen.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { shut() }

    /// It was written, or nobody is left to read it.
    var isDone: Bool { if case .closed = state { true } else { false } }

    /// To be polled for room, while there is something to write.
    var waiting: [Int32] { if case .writing = state { [descriptor] } else { [] } }

    /// Says it, unless something was said already.
    func say(_ line: ReadyLine) {
        guard case .open = state else { return }
        state = .writing(Array((WireFormat.json(line) + "\n").utf8)[...])
        flush()
    }

    /// As much as there is room for.
    func flush() {
        while case .writing(let rest) = state, hasRoom(within: 0) { write(rest) }
    }

    /// Before the command ends: its reader gets a moment.
    func finish() {
        while case .writing(let rest) = state {
            guard hasRoom(within: 5000) else { return shut() }
            write(rest)
        }
    }

    private func hasRoom(within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }

    private func write(_ rest: ArraySlice<UInt8>) {
        // A reader that is gone is no reason to end.
        let former = signal(SIGPIPE, SIG_IGN)
        defer { signal(SIGPIPE, former) }
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, min($0.count, Self.piece)) }
        if count < 0 {
            if errno != EINTR, errno != EAGAIN { shut() }
            return
        }
        let left = rest.dropFirst(count)
        if left.isEmpty { shut() } else { state = .writing(left) }
    }

    private func shut() {
        if case .closed = state { return }
        state = .closed
        close(descriptor)
    }
}
