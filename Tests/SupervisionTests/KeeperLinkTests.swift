import CProcess
import Glibc
@testable import Supervision
import Testing

/// The supervisor's end of the socket; the other end is the test's.
struct KeeperLinkTests {
    private let loop: EventLoop
    private let link: KeeperLink
    private let peer: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(
            socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        peer = ends[1]
        loop = try EventLoop()
        link = try KeeperLink(loop: loop, socket: ends[0])
    }

    /// Type and key of what came, with the number of descriptors.
    private func received() -> [String] {
        var all: [String] = []
        var bytes = [orch_message](repeating: orch_message(), count: Int(ORCH_PACKET_MESSAGES))
        while true {
            var descriptors: [Int32] = [-1, -1, -1, -1]
            var count = 0
            let size = orch_packet_receive(
                peer, &bytes, bytes.count * MemoryLayout<orch_message>.stride, &descriptors, &count)
            guard size > 0 else { return all }
            for descriptor in descriptors[..<count] { close(descriptor) }
            for message in bytes[..<(Int(size) / MemoryLayout<orch_message>.stride)] {
                all.append("\(message.type == UInt16(ORCH_MESSAGE_HOLD) ? "hold" : "drop") \(message.key) \(count)")
            }
        }
    }

    @Test func `the shortcut sends at once, and holds for nobody once the keeper is gone`() throws {
        defer { close(peer) }
        #expect(link.shortcut.hold(key: 7, [0, 1]))
        #expect(received() == ["hold 7 2"])
        shutdown(peer, Int32(SHUT_RDWR))
        try loop.turn()
        #expect(!link.isOpen && link.shortcut.hold(key: 7, [0]))
    }

    @Test func `the shortcut does not overtake what the loop has to send before`() throws {
        defer { close(peer) }
        link.drop(key: 7)
        #expect(!link.shortcut.hold(key: 7, [0]))
        link.hold(key: 7, [0])
        link.flush()
        #expect(received() == ["drop 7 0", "hold 7 1"])
        #expect(link.shortcut.hold(key: 8, [0]))
        #expect(received() == ["hold 8 1"])
    }

    @Test func `the shortcut waits for a keeper that does not read, as the loop's letters do`() throws {
        defer { close(peer) }
        var sent = 0
        while link.shortcut.hold(key: UInt64(sent), [0]) { sent += 1 }
        link.hold(key: 5000, [0])
        link.flush()
        #expect(!link.shortcut.hold(key: 5001, [0]))
        #expect(received() == (0..<sent).map { "hold \($0) 1" })
        try loop.turn()
        #expect(received() == ["hold 5000 1"])
        #expect(link.shortcut.hold(key: 5002, [0]))
    }
}
