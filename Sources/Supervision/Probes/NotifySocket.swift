import CProcess
import Glibc

/// What a sidecar says of itself by sd_notify.
package enum SidecarNotification: Hashable, Sendable {
    /// READY=1
    case ready
    /// EXTEND_TIMEOUT_USEC=…, from now.
    case extendTimeout(Duration)
    /// STATUS=…, for people.
    case status(String)
    /// STOPPING=1
    case stopping

    /// The lines of one datagram that mean something here, in their order.
    static func parse(_ datagram: some Collection<UInt8>) -> [SidecarNotification] {
        datagram.split(separator: 0x0a).compactMap { line in
            let text = String(decoding: line, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { return nil }
            let value = String(text[text.index(after: equals)...])
            switch text[..<equals] {
            case "READY": return value == "1" ? .ready : nil
            case "STOPPING": return value == "1" ? .stopping : nil
            case "STATUS": return .status(value)
            case "EXTEND_TIMEOUT_USEC": return Int64(value).flatMap { $0 > 0 ? .extendTimeout(.microseconds($0)) : nil }
            default: return nil
            }
        }
    }
}

/// The one datagram socket all sidecars of a project notify. Who sent is what the kernel says, not what the text says.
package final class NotifySocket {
    /// More at once could keep the loop from its other work.
    private static let batch = 64

    /// For NOTIFY_SOCKET: a path; or, where the path is too long for the kernel's address, a name without a file. The same
    /// after a restart of the supervisor.
    package let environmentValue: String
    private let loop: EventLoop
    private let descriptor: Int32
    private var watch: EventLoop.WatchID?
    private let received: (Int32, [SidecarNotification]) -> Void

    /// Called on the loop with the sender's pid; whose process that is, is for the caller to know.
    ///
    /// - Parameter isOpenToAll: other users may write to it; who they are is known all the same.
    package init(
        loop: EventLoop, path: String, isOpenToAll: Bool = false,
        received: @escaping (_ pid: Int32, [SidecarNotification]) -> Void
    ) throws(SystemError) {
        self.loop = loop
        self.received = received
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .last("socket") }
        environmentValue = Self.value(for: path)
        do throws(SystemError) {
            try bind(path, mode: isOpenToAll ? 0o666 : 0o600)
            var one: Int32 = 1
            guard setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &one, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                throw .last("setsockopt SO_PASSCRED")
            }
            watch = try loop.watch(descriptor, .read) { [unowned self] _ in receive() }
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit {
        if let watch { loop.unwatch(watch) }
        close(descriptor)
    }

    private static func value(for path: String) -> String {
        guard path.utf8.count >= MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size else { return path }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "@orchestrate-notify-\(getuid())-" + String(hash, radix: 16)
    }

    private func bind(_ path: String, mode: mode_t) throws(SystemError) {
        let descriptor = descriptor
        if environmentValue.hasPrefix("@") {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let name = [0] + Array(environmentValue.utf8.dropFirst())
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
            let result = withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, length) }
            }
            guard result == 0 else { throw .last("bind \(environmentValue)") }
            return
        }
        // Only one supervisor runs for a project, so one that is there is left over.
        unlink(path)
        let result = try UnixAddress(path: path).withSocketAddress { Glibc.bind(descriptor, $0, $1) }
        guard result == 0 else { throw .last("bind \(path)") }
        chmod(path, mode)
    }

    private func receive() {
        withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 16) { buffer in
            for _ in 0..<Self.batch {
                var pid: Int32 = 0
                var uid: UInt32 = 0
                let count = loop_receive_with_credentials(descriptor, buffer.baseAddress, buffer.count, &pid, &uid)
                guard count >= 0 else { return }
                let messages = SidecarNotification.parse(buffer[..<count])
                if pid > 0, !messages.isEmpty { received(pid, messages) }
            }
        }
    }
}
