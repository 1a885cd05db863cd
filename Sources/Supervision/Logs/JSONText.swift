/// Escapes arbitrary bytes for a JSON string: what is not UTF-8 becomes U+FFFD.
enum JSONText {
    private static let hex = Array("0123456789abcdef".utf8)

    /// Needs up to six bytes of output for each of input. Answers the bytes written.
    static func escape(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        func put(_ byte: UInt8) {
            output[count] = byte
            count += 1
        }
        var index = 0
        while index < input.count {
            let byte = input[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                put(UInt8(ascii: "\\"))
                put(byte)
                index += 1
            case 0x09, 0x0a, 0x0d:
                put(UInt8(ascii: "\\"))
                put(byte == 0x09 ? UInt8(ascii: "t") : byte == 0x0a ? UInt8(ascii: "n") : UInt8(ascii: "r"))
                index += 1
            case ..<0x20, 0x7f:
                for part in "\\u00".utf8 { put(part) }
                put(hex[Int(byte >> 4)])
                put(hex[Int(byte & 15)])
                index += 1
            case ..<0x80:
                put(byte)
                index += 1
            default:
                let length = sequenceLength(input, at: index)
                if length == 0 {
                    for part in "\u{fffd}".utf8 { put(part) }
                    index += 1
                } else {
                    for offset in 0..<length { put(input[index + offset]) }
                    index += length
                }
            }
        }
        return count
    }

    /// Undoes `escape`; an escape it does not write stays as it is.
    static func unescape(_ text: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
                result.append(byte)
                continue
            }
            switch kind {
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                let digits = String(decoding: rest.prefix(4), as: UTF8.self)
                rest = rest.dropFirst(4)
                if let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) {
                    result += Array(String(scalar).utf8)
                }
            default: result.append(kind)
            }
        }
        return result
    }

    /// The bytes of the well-formed UTF-8 sequence that starts here, 0 when there is none.
    private static func sequenceLength(_ input: UnsafeRawBufferPointer, at index: Int) -> Int {
        let lead = input[index]
        let length: Int
        var lowest: UInt8 = 0x80
        var highest: UInt8 = 0xbf
        switch lead {
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, lowest) = (3, 0xa0)
        case 0xed: (length, highest) = (3, 0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, lowest) = (4, 0x90)
        case 0xf4: (length, highest) = (4, 0x8f)
        case 0xf1...0xf3: length = 4
        default: return 0
        }
        guard index + length <= input.count else { return 0 }
        for offset in 1..<length {
            let byte = input[index + offset]
            guard byte >= lowest, byte <= highest else { return 0 }
            (lowest, highest) = (0x80, 0xbf)
        }
        return length
    }
}
