import CProcess
import Glibc

/// Signals as something to poll, instead of something that interrupts.
final class SignalWatch {
    let descriptor: Int32

    /// From now on SIGINT, SIGTERM, SIGHUP and SIGWINCH only arrive here; in the first process SIGCHLD too, and what
    /// ended is reaped.
    init() {
        var mask: UInt64 = 0
        for number in [SIGINT, SIGTERM, SIGHUP, SIGWINCH] + (FirstProcess.isUs ? [SIGCHLD] : []) {
            mask |= 1 << UInt64(number - 1)
        }
        descriptor = loop_signalfd_create(mask)
        if FirstProcess.isUs { FirstProcess.reap() }
        Console.watch(
            Console.Interruption(descriptor: descriptor, events: Int16(POLLIN)) { [unowned self] in hasUrgent() })
    }

    deinit {
        Console.unwatch(descriptor)
        close(descriptor)
    }

    /// Whether more than a change of the window's size has come. It comes again: whoever polls for it takes it then.
    private func hasUrgent() -> Bool {
        var urgent: [Int32] = []
        while let number = next() { if number != SIGWINCH { urgent.append(number) } }
        for number in urgent { raise(number) }
        return !urgent.isEmpty
    }

    /// A parent's thread may have had them blocked, and children inherit that: Ctrl-C would do nothing. One that ignored
    /// SIGCHLD would leave us without the exit status of what we start.
    static func unblockInherited() {
        signal(SIGCHLD, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGWINCH, SIGTSTP, SIGCONT, SIGCHLD] {
            sigaddset(&set, number)
        }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Ctrl-C while nobody polls for it. Only the first process obeys once its supervisor is there: everything would be
    /// torn away with it, without any grace.
    static var isInterrupted: Bool {
        guard !FirstProcess.isUs else { return false }
        var waiting = sigset_t()
        sigpending(&waiting)
        return [SIGINT, SIGTERM, SIGHUP].contains { sigismember(&waiting, $0) == 1 }
    }

    /// The next one, or nil.
    func next() -> Int32? {
        var sender: Int32 = 0
        while case let number = loop_signalfd_read(descriptor, &sender), number > 0 {
            guard number == SIGCHLD else {
                if number != SIGWINCH { Console.isLeaving = true }
                return number
            }
            FirstProcess.reap()
        }
        return nil
    }
}

/// Waits for any of several descriptors.
enum Poll {
    /// The descriptors that have something, or room, empty when the time is up.
    /// - Parameters:
    ///   - writing: those that are waited for to have room.
    ///   - reader: one that is waited for to have nobody left who reads it.
    ///   - timeout: nil waits for as long as it takes.
    static func wait(
        for descriptors: [Int32], writing: [Int32] = [], reader: Int32? = nil, timeout: Duration?
    ) -> Set<Int32> {
        var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        entries += writing.map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
        if let reader { entries.append(pollfd(fd: reader, events: 0, revents: 0)) }
        var milliseconds: Int32 = -1
        if let timeout {
            let (seconds, attoseconds) = timeout.components
            // Rounded up: a deadline is not polled towards.
            milliseconds = Int32(
                clamping: max(0, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
        }
        var count: Int32
        // Interrupted, as by being stopped for a while, it has not waited for its time.
        repeat { count = poll(&entries, nfds_t(entries.count), milliseconds) } while count < 0 && errno == EINTR
        guard count > 0 else { return [] }
        return Set(entries.filter { $0.revents != 0 }.map(\.fd))
    }

    /// Waits for what is to be printed, and ends the process, as printing would, once nobody is left to read that.
    static func waitForNews(on descriptors: [Int32], timeout: Duration? = nil) -> Set<Int32> {
        let found = wait(for: descriptors, reader: Console.pipe, timeout: timeout)
        if let pipe = Console.pipe, found.contains(pipe) { Console.endUnread() }
        return found
    }
}
