import Glibc
import Testing

@testable import Supervision

/// A process that listens on a TCP port of the kernel's choice, whose socket nobody else has.
final class Stranger {
    let pid: pid_t
    let port: UInt16

    /// - Parameter isAloneOnV6: on `::` it leaves the port of IPv4 alone.
    init(on text: String, isAloneOnV6: Bool = true) throws {
        let address = try #require(IPAddress(parsing: text))
        let descriptor = socket(address.family.number, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var alone: Int32 = isAloneOnV6 ? 1 : 0
        if address.family == .v6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &alone, 4) }
        try #require(address.withSocketAddress(port: 0) { bind(descriptor, $0, $1) } == 0)
        try #require(listen(descriptor, 1) == 0)
        port = try Self.port(of: descriptor)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptor, 0)
        var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
        defer { for word in words { free(word) } }
        var started: pid_t = 0
        try #require(posix_spawnp(&started, "sleep", &actions, nil, &words, environ) == 0)
        pid = started
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    private static func port(of descriptor: Int32) throws -> UInt16 {
        var bytes = [UInt8](repeating: 0, count: 128)
        var length = socklen_t(bytes.count)
        let result = bytes.withUnsafeMutableBytes { buffer in
            buffer.withMemoryRebound(to: sockaddr.self) { getsockname(descriptor, $0.baseAddress, &length) }
        }
        try #require(result == 0)
        return UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    }
}
