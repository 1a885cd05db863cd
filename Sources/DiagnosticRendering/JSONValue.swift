import SidecarModel

/// A JSON text whose objects keep the order they are written in, so that output is stable and pleasant to read.
package indirect enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    package struct Member: Hashable, Sendable {
        package var name: String
        package var value: JSONValue

        package init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// Members whose value is nil are left out.
    package static func object(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    /// - Parameter indented: two spaces a level and a newline at the end; else one line without one.
    package func text(indented: Bool = true) -> String {
        var bytes: [UInt8] = []
        write(to: &bytes, indent: indented ? 0 : nil)
        if indented { bytes.append(0x0A) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(to bytes: inout [UInt8], indent: Int?) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let flag): bytes += (flag ? "true" : "false").utf8
        case .int(let number): bytes += String(number).utf8
        case .double(let number):
            bytes += (number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)).utf8
        case .string(let text): Self.write(text, to: &bytes)
        case .array(let values):
            Self.write(values.count, brackets: ("[", "]"), indent: indent, to: &bytes) { position, bytes, indent in
                values[position].write(to: &bytes, indent: indent)
            }
        case .object(let members):
            Self.write(members.count, brackets: ("{", "}"), indent: indent, to: &bytes) { position, bytes, indent in
                Self.write(members[position].name, to: &bytes)
                bytes += (indent == nil ? ":" : ": ").utf8
                members[position].value.write(to: &bytes, indent: indent)
            }
        }
    }

    private static func write(
        _ count: Int, brackets: (String, String), indent: Int?, to bytes: inout [UInt8],
        element: (Int, inout [UInt8], Int?) -> Void
    ) {
        bytes += brackets.0.utf8
        for position in 0..<count {
            if position > 0 { bytes += ",".utf8 }
            newline(indent.map { $0 + 1 }, to: &bytes)
            element(position, &bytes, indent.map { $0 + 1 })
        }
        if count > 0 { newline(indent, to: &bytes) }
        bytes += brackets.1.utf8
    }

    private static func newline(_ indent: Int?, to bytes: inout [UInt8]) {
        guard let indent else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: 2 * indent))
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": bytes += "\\\"".utf8
            case "\\": bytes += "\\\\".utf8
            case "\n": bytes += "\\n".utf8
            case "\r": bytes += "\\r".utf8
            case "\t": bytes += "\\t".utf8
            // Readers get the text as it was, and a terminal gets nothing to obey.
            case _ where scalar.steersTerminal:
                let digits = String(scalar.value, radix: 16)
                bytes += "\\u".utf8
                bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - digits.utf8.count))
                bytes += digits.utf8
            default: bytes += String(scalar).utf8
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
