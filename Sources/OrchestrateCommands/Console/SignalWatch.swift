import CProcess
import Glibc

/// Signals as something to poll, instead of something that interrupts.
final class SignalWatch {
    let descriptor: Int32

    /// From now on SIGINT, SIGTERM, SIGHUP and SIGWINCH only arrive here.
    init() {
        var mask: UInt64 = 0
        for number in [SIGINT, SIGTERM, SIGHUP, SIGWINCH] { mask |= 1 << UInt64(number - 1) }
        descriptor = loop_signalfd_create(mask)
    }

    deinit { close(descriptor) }

    /// A parent's thread may have had them blocked, and children inherit that: Ctrl-C would do nothing.
    static func unblockInherited() {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGWINCH, SIGTSTP] { sigaddset(&set, number) }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// The next one, or nil.
    func next() -> Int32? {
        var sender: Int32 = 0
        let number = loop_signalfd_read(descriptor, &sender)
        return number > 0 ? number : nil
    }
}

/// Waits for any of several descriptors.
enum Poll {
    /// The descriptors that have something, empty when the time is up.
    /// - Parameter timeout: nil waits for as long as it takes.
    static func wait(for descriptors: [Int32], timeout: Duration?) -> Set<Int32> {
        var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var milliseconds: Int32 = -1
        if let timeout {
            let (seconds, attoseconds) = timeout.components
            // Rounded up: a deadline is not polled towards.
            milliseconds = Int32(
                clamping: max(0, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
        }
        guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else { return [] }
        return Set(entries.filter { $0.revents != 0 }.map(\.fd))
    }
}
