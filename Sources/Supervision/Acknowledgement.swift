import CProcess
import Glibc

/// Lets one thread wait for another to have done something once.
final class Acknowledgement: Sendable {
    private let event: Int32

    init() throws(SystemError) {
        event = loop_eventfd_create()
        guard event >= 0 else { throw .last("eventfd") }
    }

    deinit { close(event) }

    func post() {
        var one: UInt64 = 1
        _ = write(event, &one, 8)
    }

    func wait() {
        var waiter = pollfd(fd: event, events: Int16(POLLIN), revents: 0)
        while poll(&waiter, 1, -1) < 0, errno == EINTR {}
    }
}
