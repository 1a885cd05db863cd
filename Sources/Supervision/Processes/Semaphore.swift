import Glibc

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

    func wait(seconds: Int) {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        while sem_timedwait(raw, &deadline) != 0, errno == EINTR {}
    }

    func wait() { while sem_wait(raw) != 0, errno == EINTR {} }
}
