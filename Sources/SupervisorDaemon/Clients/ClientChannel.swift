import CProcess
import ControlAPI
import Glibc

/// Packets to and from `orchestrate attach`, on the supervisor's side. Nothing here waits: who does not listen is not
/// told.
enum ClientChannel {
    enum Incoming {
        case nothing
        case ended
        case packet([UInt8], descriptors: [Int32])
    }

    static func send(_ message: ClientMessage, to connection: Int32, with descriptor: Int32? = nil) {
        let bytes = message.json
        let descriptors = descriptor.map { [$0] } ?? []
        _ = orch_packet_send_bytes(connection, bytes, bytes.count, descriptors, descriptors.count)
    }

    /// Whether it is such a connection, and not a stream for the process itself.
    static func keepsBorders(_ connection: Int32) -> Bool {
        var type: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(connection, SOL_SOCKET, SO_TYPE, &type, &size) == 0
            && type == Int32(bitPattern: SOCK_SEQPACKET.rawValue)
    }

    /// The descriptors are the caller's.
    static func receive(from connection: Int32) -> Incoming {
        var descriptors = [Int32](repeating: -1, count: 4)
        var count = 0
        var size = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, used in
            size = orch_packet_receive(connection, buffer.baseAddress, buffer.count, &descriptors, &count)
            used = max(0, size)
        }
        if size == -Int(EAGAIN) { return .nothing }
        return size <= 0 ? .ended : .packet(bytes, descriptors: Array(descriptors[..<count]))
    }
}
