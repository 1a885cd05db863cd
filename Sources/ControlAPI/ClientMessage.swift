import FoundationEssentials

/// What a supervisor tells a client whose standard input and output it was lent: a packet each, in this order.
package enum ClientMessage: Hashable, Codable, Sendable {
    /// A process runs for it. A descriptor that stands for the process comes along. May come again.
    case started(pid: Int32)
    /// It ended; the last packet.
    case ended(ExitReport)
    /// There is no process for it, and why; the last packet.
    case refused(String)

    /// What the client says first, together with its standard input and output.
    package static let greeting: [UInt8] = Array("attach 1".utf8)

    /// Nil: it is none.
    package init?(json bytes: [UInt8]) {
        guard let message = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else { return nil }
        self = message
    }

    package var json: [UInt8] { Array(WireFormat.json(self).utf8) }
}
