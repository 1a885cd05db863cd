import CProcess
import Glibc

/// A connection being made or used, without ever blocking the loop. Ends with `close`.
final class StreamConnection {
    enum Progress {
        case connected
        case waiting
        case failed(SystemError)
    }

    private let loop: EventLoop
    private(set) var descriptor: Int32 = -1
    private var watch: EventLoop.WatchID?
    private var isConnected = false

    init(loop: EventLoop) { self.loop = loop }

    deinit { close() }

    /// `changed` is called when a waiting connection is made or has failed, and from then on whenever there is something
    /// to read or room to write.
    func connect(
        to address: IPAddress, port: UInt16, changed: @escaping (Progress) -> Void
    ) -> Progress {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = socket(address.family.number, kind, 0)
        guard descriptor >= 0 else { return .failed(.last("socket")) }
        let fd = descriptor
        let result = address.withSocketAddress(port: port) { Glibc.connect(fd, $0, $1) }
        return begin(result, changed)
    }

    func connect(toUnix path: String, changed: @escaping (Progress) -> Void) -> Progress {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return .failed(.last("socket")) }
        let fd = descriptor
        do throws(SystemError) {
            let result = try UnixAddress(path: path).withSocketAddress { Glibc.connect(fd, $0, $1) }
            return begin(result, changed)
        } catch {
            return .failed(error)
        }
    }

    private func begin(_ result: Int32, _ changed: @escaping (Progress) -> Void) -> Progress {
        if result == 0 {
            isConnected = true
            return .connected
        }
        guard errno == EINPROGRESS else { return .failed(.last("connect")) }
        // On the loopback the handshake is over by now: one look saves a turn of the loop.
        switch outcome() {
        case .connected: return .connected
        case .failed(let error): return .failed(error)
        case .waiting: return listen(changed) ?? .waiting
        }
    }

    /// Calls `changed` from now on.
    func listen(_ changed: @escaping (Progress) -> Void) -> Progress? {
        guard watch == nil else { return nil }
        do throws(SystemError) {
            watch = try loop.watch(descriptor, [.read, .write, .edgeTriggered]) { [unowned self] _ in
                changed(isConnected ? .connected : outcome())
            }
            return nil
        } catch {
            return .failed(error)
        }
    }

    private func outcome() -> Progress {
        var writer = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&writer, 1, 0) == 1 else { return .waiting }
        if writer.revents & Int16(POLLERR | POLLHUP) != 0 {
            var failure: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
            if failure != 0 { return .failed(SystemError(call: "connect", errno: failure)) }
        }
        isConnected = true
        return .connected
    }

    /// The bytes written; 0: no room now.
    func send(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count >= 0 { return count }
        guard errno == EAGAIN || errno == EINTR else { throw .last("send") }
        return 0
    }

    enum Received {
        case bytes(Int)
        case nothing
        case closed
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Received {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .bytes(count) }
        if count == 0 { return .closed }
        guard errno == EAGAIN || errno == EINTR else { throw .last("recv") }
        return .nothing
    }

    /// `abruptly`, when the other side has closed already: spares its port the minute of TIME_WAIT that would be in the
    /// way of a successor that binds it.
    func close(abruptly: Bool = false) {
        guard descriptor >= 0 else { return }
        if let watch { loop.unwatch(watch) }
        watch = nil
        if abruptly {
            var off = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &off, socklen_t(MemoryLayout<linger>.size))
        }
        Glibc.close(descriptor)
        descriptor = -1
    }
}
