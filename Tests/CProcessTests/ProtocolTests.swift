import CProcess
import Glibc
import Testing

struct ProtocolTests {
    private func decode(_ direction: Int, _ bytes: [UInt8], capacity: Int = 128) -> ([orch_message], malformed: UInt32)
    {
        var messages = [orch_message](repeating: orch_message(), count: capacity)
        var malformed: UInt32 = 0
        let count = orch_decode(Int32(direction), bytes, bytes.count, &messages, capacity, &malformed)
        return (Array(messages[..<count]), malformed)
    }

    private func bytes(_ messages: orch_message...) -> [UInt8] {
        messages.flatMap { message in withUnsafeBytes(of: message) { Array($0) } }
    }

    @Test func `a packet of messages is read back`() {
        let packet = bytes(
            orch_message_make(UInt16(ORCH_MESSAGE_SPAWNED), 7, 4711, 0, 0),
            orch_message_make(UInt16(ORCH_MESSAGE_HOLD), 0, 0, 0, 99))
        let (messages, malformed) = decode(ORCH_TO_KEEPER, packet)
        #expect(malformed == 0)
        #expect(messages.map(\.type) == [UInt16(ORCH_MESSAGE_SPAWNED), UInt16(ORCH_MESSAGE_HOLD)])
        #expect(messages.map(\.pid) == [4711, 0])
        #expect(messages.map(\.key) == [0, 99])
    }

    @Test func `what is not well-formed is left out and counted, the rest is kept`() {
        var wrongVersion = orch_message_make(UInt16(ORCH_MESSAGE_READY), 0, 0, 0, 0)
        wrongVersion.version = 9
        let packet = bytes(
            wrongVersion,
            orch_message_make(UInt16(ORCH_MESSAGE_SPAWNED), ORCH_SLOT_COUNT, 1, 0, 0),
            orch_message_make(UInt16(ORCH_MESSAGE_SPAWNED), 0, 0, 0, 0),
            orch_message_make(UInt16(ORCH_MESSAGE_CLEAR), 0, 0, 65, 0),
            orch_message_make(UInt16(ORCH_MESSAGE_EXITED), 0, 1, 0, 0),
            orch_message_make(40, 0, 1, 0, 0),
            orch_message_make(UInt16(ORCH_MESSAGE_GUARD), 0, 0, 2, 0),
            orch_message_make(UInt16(ORCH_MESSAGE_KILL), 3, 0, 0, 0))
        let (messages, malformed) = decode(ORCH_TO_KEEPER, packet + [1, 2, 3])
        #expect(messages.map(\.type) == [UInt16(ORCH_MESSAGE_KILL)])
        #expect(malformed == 8)
    }

    @Test func `what a keeper hands over is read back, and nothing else is`() throws {
        var handover = orch_handover()
        handover.count = 2
        handover.lock = 4
        handover.records = 5
        handover.alarm = -1
        let held = [orch_held(key: 7, fd: 20, unused: 0), orch_held(key: 8, fd: 21, unused: 0)]
        let file = orch_handover_write(&handover, held)
        try #require(file >= 0)
        defer { close(file) }
        var read = orch_handover()
        var list = [orch_held](repeating: orch_held(), count: 4)
        #expect(orch_handover_read(file, &read, &list, list.count) == 0)
        #expect([read.count, UInt32(read.lock), UInt32(read.records)] == [2, 4, 5])
        #expect(read.alarm == -1)
        #expect(list.prefix(2).map(\.key) == [7, 8])
        #expect(list.prefix(2).map(\.fd) == [20, 21])
        #expect(orch_handover_read(file, &read, &list, 1) == -EPROTO)
        var version = ORCH_HANDOVER_VERSION + 1
        pwrite(file, &version, 4, 8)
        #expect(orch_handover_read(file, &read, &list, list.count) == -EPROTONOSUPPORT)
        ftruncate(file, 20)
        #expect(orch_handover_read(file, &read, &list, list.count) == -EPROTO)
    }

    @Test func `more messages than there is room for are counted, not written`() {
        let one = orch_message_make(UInt16(ORCH_MESSAGE_READY), 0, 0, 0, 0)
        let (messages, malformed) = decode(ORCH_TO_KEEPER, bytes(one, one, one), capacity: 2)
        #expect(messages.count == 2)
        #expect(malformed == 1)
    }

    @Test func `whatever bytes come, only well-formed messages of that direction go on`() {
        var generator = SplitMix(state: 42)
        for _ in 0..<20_000 {
            var packet = (0..<Int(generator.next() % 200)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            // Half of them start like messages, to get past the version.
            for start in stride(from: 0, to: packet.count - 3, by: 24) where generator.next() % 2 == 0 {
                packet[start...start + 3] = [1, 0, UInt8(generator.next() % 70), 0]
            }
            for direction in [ORCH_TO_KEEPER, ORCH_TO_SUPERVISOR] {
                let (messages, malformed) = decode(direction, packet)
                #expect(messages.count + Int(malformed) == (packet.count + 23) / 24)
                for message in messages {
                    let hasSlot = message.type >= ORCH_MESSAGE_EXITED || (2...5).contains(message.type)
                    #expect(!hasSlot || message.slot < ORCH_SLOT_COUNT)
                    #expect((message.type >= ORCH_MESSAGE_EXITED) == (direction == ORCH_TO_SUPERVISOR))
                }
            }
        }
    }

    @Test func `descriptors travel with a packet, and are closed on exec`() throws {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        defer { ends.forEach { close($0) } }
        var message = orch_message_make(UInt16(ORCH_MESSAGE_HOLD), 0, 0, 0, 5)
        #expect(orch_packet_send(ends[0], &message, 1, [0, 1], 2) == 0)
        var received = [orch_message](repeating: orch_message(), count: 4)
        var descriptors: [Int32] = [-1, -1, -1, -1]
        var count = 0
        let size = orch_packet_receive(
            ends[1], &received, 4 * MemoryLayout<orch_message>.stride, &descriptors, &count)
        #expect(size == MemoryLayout<orch_message>.stride)
        #expect(count == 2)
        for descriptor in descriptors[..<count] {
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            close(descriptor)
        }
        #expect(orch_packet_receive(ends[1], &received, 24, &descriptors, &count) == -Int(EAGAIN))
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
