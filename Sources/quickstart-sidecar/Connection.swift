import Glibc

/// A TCP connection that is read line by line.
final class Connection {
    private let descriptor: Int32
    private var unread: [UInt8] = []

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Connects to `host:port`, the host a numeric address.
    convenience init(to address: String) throws(Failure) {
        let parts = address.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            throw Failure("'\(address)' is not an address: expected host:port")
        }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let connected = withSocketAddress(host: String(parts[0]), port: port) { connect(descriptor, $0, $1) }
        guard connected == 0 else {
            close(descriptor)
            throw Failure("cannot connect to \(address): \(String(cString: strerror(errno)))")
        }
        self.init(descriptor: descriptor)
    }

    deinit { close(descriptor) }

    /// The next line without its end, or nil when the other side is done.
    func readLine() -> String? {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                var line = unread[..<end]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                let text = String(decoding: line, as: UTF8.self)
                unread.removeSubrange(...end)
                return text
            }
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            unread += chunk[..<count]
        }
    }

    func write(_ text: String) throws(Failure) {
        guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else {
            throw Failure("the connection was closed")
        }
    }
}

/// Serves one connection after the other on a port of 127.0.0.1; never returns.
func serve(port: String, _ handle: (Connection) -> Void) throws(Failure) -> Never {
    guard let number = UInt16(port) else { throw Failure("'\(port)' is not a port") }
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    let bound = withSocketAddress(host: "127.0.0.1", port: number) { bind(listener, $0, $1) }
    guard bound == 0, listen(listener, 64) == 0 else {
        throw Failure("cannot listen on port \(port): \(String(cString: strerror(errno)))")
    }
    say("listening on 127.0.0.1:\(port)")
    while true {
        let client = accept(listener, nil, nil)
        if client >= 0 { handle(Connection(descriptor: client)) }
    }
}

private func withSocketAddress(
    host: String, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
