import SidecarModel

/// Reads exactly what `TransitionLine` writes. Whatever differs in the least is left to the decoder, which takes ten times
/// as long and knows all of JSON.
struct TransitionLineReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    static func read(_ line: ArraySlice<UInt8>) -> EventMessage? {
        line.withUnsafeBufferPointer { bytes in
            var reader = TransitionLineReader(bytes: bytes)
            return reader.message()
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func message() -> EventMessage? {
        guard skip(TransitionLine.beginning), let sequence = number(),
            let at = text("at").flatMap(Timestamp.init(_:)),
            let instance = text("instance"), skip(#","incarnation":"#), let incarnation = number(),
            let from = text("from").flatMap(StateName.init(rawValue:)),
            let to = text("to").flatMap(StateName.init(rawValue:)),
            let initiator = text("initiator").flatMap(Initiator.init(rawValue:)),
            let cause = text("cause")
        else { return nil }
        let causedBy = text("caused_by")
        let isAssumed = skip(TransitionLine.assumed) ? true : nil
        guard skip("}}"), place == bytes.count else { return nil }
        return EventMessage(
            sequence: sequence, at: at,
            event: .transition(
                TransitionEvent(
                    instance: instance, incarnation: incarnation, from: from, to: to, initiator: initiator,
                    cause: cause, causedBy: causedBy, isAssumed: isAssumed)))
    }

    private mutating func skip(_ expected: StaticString) -> Bool {
        skip(UnsafeBufferPointer(start: expected.utf8Start, count: expected.utf8CodeUnitCount))
    }

    private mutating func skip(_ expected: String) -> Bool {
        var expected = expected
        return expected.withUTF8 { skip($0) }
    }

    private mutating func skip(_ expected: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count - place >= expected.count,
            bytes[place..<place + expected.count].elementsEqual(expected)
        else { return false }
        place += expected.count
        return true
    }

    private mutating func number() -> UInt64? {
        var value: UInt64 = 0
        let start = place
        while place < bytes.count, case UInt8(ascii: "0")...UInt8(ascii: "9") = bytes[place] {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = product.addingReportingOverflow(UInt64(bytes[place] - UInt8(ascii: "0")))
            guard !isTooLarge, !overflows else { return nil }
            value = sum
            place += 1
        }
        return place > start ? value : nil
    }

    /// The string under a key. Nil, and nothing is read, when another key is next or the string holds an escape.
    private mutating func text(_ key: String) -> String? {
        let start = place
        guard skip(",\""), skip(key), skip("\":\""),
            let end = bytes[place...].firstIndex(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }),
            bytes[end] == UInt8(ascii: "\"")
        else {
            place = start
            return nil
        }
        defer { place = end + 1 }
        return String(validating: bytes[place..<end], as: UTF8.self)
    }
}
