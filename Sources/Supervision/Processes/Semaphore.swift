import CProcess
import Glibc
import SidecarModel

/// Lets one thread sleep until another one has something for it.
///
/// `@unchecked Sendable`: the semaphore is made for use by several threads, and its memory is this object's.
final class Semaphore: @unchecked Sendable {
    private let raw = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(raw, 0, 0) }

    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }

    func raise() { sem_post(raw) }

    /// Not by the wall clock, which may be set meanwhile.
    func wait(until deadline: SuspendingClock.Instant) {
        while true {
            let left = max(.zero, deadline - .now)
            guard loop_semaphore_wait(raw, left.nanoseconds) != 0, errno == EINTR else { return }
        }
    }

    func wait() { while sem_wait(raw) != 0, errno == EINTR {} }
}
