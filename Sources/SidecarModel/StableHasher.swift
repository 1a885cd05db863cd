/// FNV-1a, 64 bits: the same value on every machine, in every version, unlike the standard library's `Hasher`.
///
/// Fingerprints are stored and compared across runs, so what is fed in here is a format: change nothing lightly.
package struct StableHasher: Sendable {
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    /// What these references in templates stand for. Others count by how they are written.
    let references: [Reference: String]

    package init() { references = [:] }

    init(references: [Reference: String]) { self.references = references }

    package var value: UInt64 { state }

    package mutating func combine(_ word: UInt64) {
        state = (state ^ word) &* 0x100_0000_01b3
        // FNV is made for bytes; a word at a time needs its high bits brought down.
        state ^= state >> 29
    }

    package mutating func combine(_ number: Int) { combine(UInt64(bitPattern: Int64(number))) }

    package mutating func combine(_ flag: Bool) { combine(flag ? 1 : 2 as UInt64) }

    package mutating func combine(_ number: Double) { combine(number.bitPattern) }

    package mutating func combine(_ duration: Duration) { combine(UInt64(bitPattern: duration.nanoseconds)) }

    package mutating func combine(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            combine(UInt64(bytes.count))
            for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
    }

    /// Nil is one word, a value is preceded by another, so neighbours never run into each other.
    package mutating func combine<Value>(_ value: Value?, _ body: (inout StableHasher, Value) -> Void) {
        if let value {
            combine(1 as UInt64)
            body(&self, value)
        } else {
            combine(0 as UInt64)
        }
    }

    package mutating func combine<Value>(each values: [Value], _ body: (inout StableHasher, Value) -> Void) {
        combine(UInt64(values.count))
        for value in values { body(&self, value) }
    }

    /// The hash of a key's name, by which mappings are looked up.
    package static func keyHash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt32 = 0x811c_9dc5
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return hash
    }

    package static func keyHash(_ text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { keyHash($0) }
    }
}
