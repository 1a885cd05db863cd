import Glibc

/// A program that connects to a Unix socket and knows nothing of orchestrate, as `nc -U` does.
package final class StreamClient {
    private var descriptor: Int32
    private var bytes: [UInt8] = []

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw HarnessError("the path is too long: \(path)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let number = errno
            hangUp()
            throw HarnessError("cannot connect to \(path): errno \(number)")
        }
    }

    deinit { hangUp() }

    package func send(_ line: String) {
        let line = Array((line + "\n").utf8)
        _ = Glibc.send(descriptor, line, line.count, Int32(MSG_NOSIGNAL))
    }

    /// Waits until that was received.
    package func receives(_ wanted: String) throws {
        while !text.contains(wanted) {
            guard takeIn() else { throw HarnessError("'\(wanted)' was not received: \(text)") }
        }
    }

    /// Waits for the other side to close. True when it did.
    package func ends() -> Bool {
        while takeIn() {}
        var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&end, 1, 0) == 1
    }

    /// Takes in what has come by now. False: the other side has closed.
    package func look() -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 0) == 1 {
            guard takeIn() else { return false }
        }
        return true
    }

    /// It has nothing more to say.
    package func endInput() { shutdown(descriptor, Int32(SHUT_WR)) }

    package func hangUp() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// False at the end, and when nothing came in time.
    private func takeIn() -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 20_000) == 1 else { return false }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return false }
        bytes += chunk[..<count]
        return true
    }
}
