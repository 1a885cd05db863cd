import SidecarModel
import YAMLReading

/// Splits a text into words as a shell does, and says of each part whether variables in it are replaced.
///
/// Spaces separate; single quotes keep everything; double quotes keep spaces; a backslash keeps the next character.
/// `${…}` is never split, so what it stands for changes no word's borders. Nothing is expanded by a shell: operators,
/// globs and `~` are plain text.
package struct ShellWords {
    struct Part: Hashable {
        var bytes: [UInt8]
        /// Quoted so that `$` is a dollar sign.
        var isLiteral: Bool
    }

    enum Failure: Error, Hashable { case openSingleQuote, openDoubleQuote, openBackslash }

    private(set) var words: [[Part]] = []
    private var word: [Part]?

    init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D:
                endWord()
                position += 1
            case UInt8(ascii: "'"):
                guard let end = bytes[(position + 1)...].firstIndex(of: byte) else { throw .openSingleQuote }
                append(bytes[(position + 1)..<end], isLiteral: true)
                position = end + 1
            case UInt8(ascii: "\""): position = try takeDoubleQuoted(bytes, from: position + 1)
            case UInt8(ascii: "\\"):
                guard position + 1 < bytes.count else { throw .openBackslash }
                append(bytes[(position + 1)...(position + 1)], isLiteral: true)
                position += 2
            case UInt8(ascii: "$"): position = takeDollar(bytes, from: position)
            default:
                append(bytes[position...position], isLiteral: false)
                position += 1
            }
        }
        endWord()
    }

    /// What one word means, whether it is quoted or not. Nil: it is not whole, or several.
    package static func meaning(ofWord text: String) -> String? {
        guard let words = try? ShellWords(text).words, words.count < 2 else { return nil }
        return String(decoding: words.joined().flatMap(\.bytes), as: UTF8.self)
    }

    private mutating func takeDoubleQuoted(_ bytes: [UInt8], from start: Int) throws(Failure) -> Int {
        append([], isLiteral: true)
        var position = start
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""): return position + 1
            case UInt8(ascii: "\\") where position + 1 < bytes.count && isEscapable(bytes[position + 1]):
                append(bytes[(position + 1)...(position + 1)], isLiteral: true)
                position += 2
            case UInt8(ascii: "$"): position = takeDollar(bytes, from: position)
            default:
                append(bytes[position...position], isLiteral: false)
                position += 1
            }
        }
        throw .openDoubleQuote
    }

    /// `${…}` with its braces and `$$` whole, else the sign alone.
    private mutating func takeDollar(_ bytes: [UInt8], from start: Int) -> Int {
        var end = start + 1
        if end < bytes.count, bytes[end] == UInt8(ascii: "$") {
            end += 1
        } else if end < bytes.count, bytes[end] == UInt8(ascii: "{") {
            var depth = 0
            while end < bytes.count {
                if bytes[end] == UInt8(ascii: "{") { depth += 1 }
                if bytes[end] == UInt8(ascii: "}") { depth -= 1 }
                end += 1
                if depth == 0 { break }
            }
        }
        append(bytes[start..<end], isLiteral: false)
        return end
    }

    private func isEscapable(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "$")
            || byte == UInt8(ascii: "`")
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>, isLiteral: Bool) {
        var parts = word ?? []
        word = nil
        if let last = parts.indices.last, parts[last].isLiteral == isLiteral {
            parts[last].bytes.append(contentsOf: bytes)
        } else {
            parts.append(Part(bytes: Array(bytes), isLiteral: isLiteral))
        }
        word = parts
    }

    private mutating func endWord() {
        if let word { words.append(word) }
        word = nil
    }
}

extension ManifestDecoder {
    func splitCommand<Owner>(_ node: NodeID, named name: String, of group: KeyGroup<Owner>) -> [Template]? {
        let text = document.string(node)
        let split: ShellWords
        do {
            split = try ShellWords(text)
        } catch {
            let what =
                switch error {
                case .openSingleQuote: "a single quote is not closed"
                case .openDoubleQuote: "a double quote is not closed"
                case .openBackslash: "the backslash at the end keeps nothing"
                }
            report(.unbalancedQuote, at: node, what, help: "close it, or write the command as a list")
            return nil
        }
        guard !split.words.isEmpty else {
            report(.commandEmpty, at: node, "the command is empty")
            return nil
        }
        checkOperators(split.words, at: node, named: name, of: group)
        var isUnresolved = false
        let words = split.words.map { parts in
            var collector = SegmentCollector()
            for part in parts {
                if part.isLiteral {
                    collector.literal.append(contentsOf: part.bytes)
                } else {
                    expand(part.bytes[...], into: &collector, at: node, mode: .full, depth: 0)
                }
            }
            isUnresolved = isUnresolved || collector.isUnresolved
            return collector.finish().template
        }
        // A variable that is missing was reported, or what it says is not asked.
        if words[0].segments.isEmpty, !isUnresolved { return reportNoProgram(at: node, named: name) }
        return words
    }

    private func checkOperators<Owner>(
        _ words: [[ShellWords.Part]], at node: NodeID, named name: String, of group: KeyGroup<Owner>
    ) {
        for word in words where word.count == 1 && !word[0].isLiteral {
            let text = String(decoding: word[0].bytes, as: UTF8.self)
            guard isOperator(text) else { continue }
            let shell = group.key(of: .script)
            report(
                .shellOperatorInCommand, at: node, "'\(text)' is a plain argument here, as no shell reads '\(name)'",
                help: (shell.map { "use '\($0):' instead of '\(name):'" } ?? "write [sh, -c, \"…\"]")
                    + ", or quote it when it is meant as an argument")
            return
        }
    }

    /// Alone, or written to a word where that can hardly be meant as it stands.
    private func isOperator(_ word: String) -> Bool {
        if word == "&" || word.hasSuffix(";") { return true }
        if ["|", ">", "<", "2>", "&>"].contains(where: word.hasPrefix) { return true }
        // `${A:-x||y}` is a default.
        return !word.utf8.contains(UInt8(ascii: "$"))
            && (word.range(ofASCII: "&&") != nil || word.range(ofASCII: "||") != nil)
    }
}
