import SidecarModel

/// Writes the one message there are thousands of, a transition without a report, without the detour of an encoder: it is
/// on the way of every start and stop. `TransitionLineReader` is its other end.
struct TransitionLine {
    static let beginning = #"{"jsonrpc":"2.0","method":"event","params":{"kind":"transition","sequence":"#
    static let assumed = #","assumed":true"#
    private(set) var bytes: [UInt8] = []

    init(_ message: EventMessage, _ transition: TransitionEvent) {
        bytes.reserveCapacity(384)
        append(Self.beginning)
        append(String(message.sequence))
        add("at", message.at.description)
        add("instance", transition.instance)
        append(#","incarnation":"#)
        append(String(transition.incarnation))
        add("from", transition.from.rawValue)
        add("to", transition.to.rawValue)
        add("initiator", transition.initiator.rawValue)
        add("cause", transition.cause)
        if let causedBy = transition.causedBy { add("caused_by", causedBy) }
        if transition.isAssumed == true { append(Self.assumed) }
        append("}}\n")
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// The key is one of ours, and needs no escaping.
    private mutating func add(_ key: String, _ value: String) {
        append(",\"")
        append(key)
        append("\":\"")
        let digits = Array("0123456789abcdef".utf8)
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00")
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        append("\"")
    }
}
