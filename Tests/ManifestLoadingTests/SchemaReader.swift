import DiagnosticRendering
import FoundationEssentials
import YAMLReading

/// The schema as an editor reads it: as much of the specification as it uses.
struct SchemaReader {
    enum Value: Hashable, Decodable {
        case null
        case flag(Bool)
        case number(Double)
        case text(String)
        case list([Value])
        case object([String: Value])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else {
                self = .object(try container.decode([String: Value].self))
            }
        }

        /// By the core schema, which editors use as well.
        init(_ node: NodeID, of document: YAMLDocument) {
            switch document.kind(node) {
            case .mapping:
                let pairs = document.pairs(node).map { (document.string($0), Value($1, of: document)) }
                self = .object(Dictionary(pairs) { first, _ in first })
            case .sequence: self = .list(document.items(node).map { Value($0, of: document) })
            case .scalar:
                let text = document.string(node)
                guard document.isPlain(node) else {
                    self = .text(text)
                    return
                }
                if document.isNull(node) {
                    self = .null
                } else if ["true", "True", "TRUE", "false", "False", "FALSE"].contains(text) {
                    self = .flag(text.lowercased() == "true")
                } else {
                    self = text.contains(/^[-+.]?[0-9]/) ? Double(text).map { .number($0) } ?? .text(text) : .text(text)
                }
            }
        }

        var members: [String: Value] { if case .object(let members) = self { members } else { [:] } }
        var items: [Value] { if case .list(let items) = self { items } else { [] } }
        var text: String? { if case .text(let text) = self { text } else { nil } }
        var number: Double? { if case .number(let number) = self { number } else { nil } }

        func isOf(type: String) -> Bool {
            switch self {
            case .null: type == "null"
            case .flag: type == "boolean"
            case .number(let number): type == "number" || type == "integer" && number == number.rounded()
            case .text: type == "string"
            case .list: type == "array"
            case .object: type == "object"
            }
        }
    }

    private let schema: Value

    init() throws { schema = try JSONDecoder().decode(Value.self, from: Data(manifestSchema().utf8)) }

    func takes(_ manifest: String) throws -> Bool {
        guard let document = readYAML(Array(manifest.utf8), file: "f").document, let root = document.root else {
            return false
        }
        return try takes(Value(root, of: document), schema)
    }

    private func takes(_ value: Value, _ schema: Value) throws -> Bool {
        if case .flag(let isAnything) = schema { return isAnything }
        return try schema.members.allSatisfy { try holds($0.key, $0.value, of: value, in: schema) }
    }

    private struct UnknownWord: Error {
        var word: String
    }

    private func holds(_ word: String, _ meaning: Value, of value: Value, in whole: Value) throws -> Bool {
        switch word {
        case "$schema", "$defs", "title", "description": return true
        case "$ref":
            let name = String(meaning.text?.dropFirst("#/$defs/".count) ?? "")
            guard let schema = schema.members["$defs"]?.members[name] else { throw UnknownWord(word: name) }
            return try takes(value, schema)
        case "anyOf": return try meaning.items.contains { try takes(value, $0) }
        case "type":
            return (meaning.items + [meaning]).contains { $0.text.map(value.isOf) ?? false }
        case "const": return value == meaning
        case "enum": return meaning.items.contains(value)
        case "pattern": return try value.text?.contains(Regex(meaning.text ?? "")) ?? true
        case "minimum": return value.number.map { $0 >= meaning.number ?? 0 } ?? true
        case "maximum": return value.number.map { $0 <= meaning.number ?? 0 } ?? true
        case "items": return try value.items.allSatisfy { try takes($0, meaning) }
        case "minItems":
            guard case .list(let items) = value else { return true }
            return Double(items.count) >= meaning.number ?? 0
        case "properties", "patternProperties": return try properties(of: value, word, meaning)
        case "additionalProperties":
            let known = whole.members["properties"]?.members ?? [:]
            let patterns = try (whole.members["patternProperties"]?.members.keys).map { try $0.map { try Regex($0) } }
            return try value.members.allSatisfy { name, member in
                try known[name] != nil || patterns?.contains { name.contains($0) } == true || takes(member, meaning)
            }
        case "propertyNames": return try value.members.keys.allSatisfy { try takes(.text($0), meaning) }
        case "required":
            return !value.isOf(type: "object") || meaning.items.allSatisfy { value.members[$0.text ?? ""] != nil }
        case "minProperties":
            return !value.isOf(type: "object") || Double(value.members.count) >= meaning.number ?? 0
        case "maxProperties": return Double(value.members.count) <= meaning.number ?? 0
        default: throw UnknownWord(word: word)
        }
    }

    private func properties(of value: Value, _ word: String, _ meaning: Value) throws -> Bool {
        try value.members.allSatisfy { name, member in
            try meaning.members.allSatisfy { key, schema in
                let isMeant = try word == "properties" ? key == name : name.contains(Regex(key))
                return try !isMeant || takes(member, schema)
            }
        }
    }
}
