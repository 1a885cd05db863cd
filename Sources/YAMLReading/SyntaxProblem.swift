import SidecarModel

/// What the parser stumbled over, in words that say what to change.
struct SyntaxProblem {
    var problem: String
    var context: String?
    var place: SourceLocation
    var contextPlace: SourceLocation?

    func diagnostic(in source: SourceText) -> Diagnostic {
        // The parser noticed at the end of the file, which says nothing of where to look.
        if let contextPlace, context == "while scanning a quoted scalar",
            problem.hasSuffix("end of stream") || problem.hasSuffix("document indicator")
        {
            return Diagnostic(
                rule: YAMLRule.syntax.rawValue, message: "this quote is not closed", location: contextPlace,
                help: "close it, or write it twice where it is meant as text in single quotes")
        }
        let found = place.offset < source.bytes.count ? source.bytes[place.offset] : nil
        let line = source.line(place.line) ?? ""
        if found == UInt8(ascii: "\t") || isIndentedByTab(line) {
            return Diagnostic(
                rule: YAMLRule.tab.rawValue, message: "a tab can't indent", location: place,
                help: "indent with spaces")
        }
        if context == "while scanning an alias" || context == "while scanning an anchor" {
            return needsQuotes("'*' and '&' begin an alias or an anchor", at: contextPlace ?? place)
        }
        if problem == "found character that cannot start any token" {
            return needsQuotes("a text can't begin with '\(character(at: place.offset, in: source))'", at: place)
        }
        if let context, context.contains("flow"), line.contains("${") {
            return needsQuotes("'${…}' inside { } or [ ] ends at its own brace", at: place)
        }
        if problem == "mapping values are not allowed in this context" {
            return Diagnostic(
                rule: YAMLRule.syntax.rawValue, message: "a second ': ' on one line", location: place,
                help: "quote the text, or put the key on a line of its own")
        }
        var related: [Diagnostic.Related] = []
        if let context, let contextPlace, contextPlace != place {
            related.append(Diagnostic.Related(message: context, location: contextPlace))
        }
        return Diagnostic(
            rule: YAMLRule.syntax.rawValue, message: problem, location: place, related: related,
            help: "check the indentation, and brackets and quotes that are not closed")
    }

    private func needsQuotes(_ message: String, at place: SourceLocation) -> Diagnostic {
        Diagnostic(
            rule: YAMLRule.needsQuotes.rawValue, message: message, location: place,
            help: "quote it: \"…\"")
    }

    private func isIndentedByTab(_ line: String) -> Bool {
        line.utf8.prefix { $0 == 0x20 || $0 == 0x09 }.contains(0x09)
    }

    private func character(at offset: Int, in source: SourceText) -> String {
        guard offset < source.bytes.count else { return "the end of the file" }
        return String(decoding: source.bytes[offset..<min(offset + 4, source.bytes.count)], as: UTF8.self)
            .first.map(String.init) ?? "?"
    }
}
