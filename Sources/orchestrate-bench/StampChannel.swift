import CRawBaselines
import Glibc

/// The FIFO through which the sidecars tell when they started and when they were ready, and another that tells when the
/// last of them has ended: each holds it open for writing.
final class StampChannel {
    let path: String
    let descriptor: Int32
    private let alive: Int32

    init(directory: String) throws(BenchFailure) {
        path = "\(directory)/stamps"
        guard mkfifo(path, 0o600) == 0 else { throw BenchFailure("cannot make the FIFO \(path): errno \(errno)") }
        // Both ends are ours, so that it never reads as closed; large enough that no sidecar waits for a reader.
        descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw BenchFailure("cannot open the FIFO \(path): errno \(errno)") }
        _ = fcntl(descriptor, 1031 /* F_SETPIPE_SZ */, 1 << 20)
        let alivePath = path + STAMP_ALIVE_SUFFIX
        guard mkfifo(alivePath, 0o600) == 0 else {
            throw BenchFailure("cannot make the FIFO \(alivePath): errno \(errno)")
        }
        alive = open(alivePath, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard alive >= 0 else { throw BenchFailure("cannot open the FIFO \(alivePath): errno \(errno)") }
    }

    deinit {
        close(descriptor)
        close(alive)
    }

    /// Waits until no sidecar lives of those that did. Nil: not within a minute.
    func awaitLastEnd() -> UInt64? {
        var ended = pollfd(fd: alive, events: 0, revents: 0)
        return poll(&ended, 1, 60_000) == 1 ? monotonicNanoseconds() : nil
    }

    /// Waits until `count` records of an event have come; others are dropped.
    func await(_ count: Int, event: Int, timeout: Int = 120) throws(BenchFailure) -> [stamp_record] {
        var records: [stamp_record] = []
        let deadline = monotonicNanoseconds() + UInt64(timeout) * 1_000_000_000
        while records.count < count {
            let now = monotonicNanoseconds()
            guard now < deadline else {
                throw BenchFailure("\(records.count) of \(count) sidecars reported within \(timeout) s")
            }
            var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            poll(&readable, 1, Int32((deadline - now) / 1_000_000) + 1)
            records += read().filter { Int($0.event) == event }
        }
        return records
    }

    /// What has been written since, without waiting.
    func read() -> [stamp_record] {
        var batch = [stamp_record](repeating: stamp_record(), count: 1024)
        let size = MemoryLayout<stamp_record>.stride
        let length = Glibc.read(descriptor, &batch, batch.count * size)
        return length > 0 ? Array(batch[..<(length / size)]) : []
    }

    func drain() {
        while !read().isEmpty {}
    }
}

extension [stamp_record] {
    var first: UInt64 { lazy.map(\.nanoseconds).min() ?? 0 }
    var last: UInt64 { lazy.map(\.nanoseconds).max() ?? 0 }
}
