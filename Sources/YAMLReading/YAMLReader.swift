import CLibYAML
package import SidecarModel

/// Reads one YAML document. Whatever the bytes are, the answer is a document or diagnostics, each with its place.
///
/// The document is nil when nothing can be made of the text; it stands beside diagnostics when only parts are wrong
/// (a key given twice), so that the rest can still be checked.
package func readYAML(_ bytes: [UInt8], file: String) -> (document: YAMLDocument?, diagnostics: [Diagnostic]) {
    let source = SourceText(file: file, bytes: bytes)
    if let problem = unreadableBytes(in: source) { return (nil, [problem]) }
    var reader = EventReader(source: source)
    let isWhole = reader.read()
    let builder = reader.builder
    let document = YAMLDocument(
        source: source, root: builder.root.map(NodeID.init), nodes: builder.nodes, links: builder.links,
        text: builder.text)
    var diagnostics = reader.diagnostics
    for problem in builder.problems {
        let earlier = problem.related.map { node in
            Diagnostic.Related(
                message: problem.rule == .recursiveAlias ? "it begins here" : "first here",
                location: document.location(of: NodeID(node)))
        }
        diagnostics.append(
            Diagnostic(
                rule: problem.rule.rawValue, message: problem.message,
                location: document.location(of: NodeID(problem.node)), related: earlier.map { [$0] } ?? [],
                help: problem.help))
    }
    return (isWhole ? document : nil, diagnostics)
}

/// What keeps the parser from being started: libyaml's own messages for these have no usable place.
private func unreadableBytes(in source: SourceText) -> Diagnostic? {
    let bytes = source.bytes
    guard bytes.count <= YAMLLimits.bytes else {
        return Diagnostic(
            rule: YAMLRule.tooLarge.rawValue,
            message: "the file has \(bytes.count) bytes, more than the \(YAMLLimits.bytes) that are read",
            location: source.location(offset: 0), help: "split the project, or generate less")
    }
    if let invalid = firstInvalidByte(in: bytes) {
        let isUTF16 = bytes.count >= 2 && (bytes[0], bytes[1]) == (0xFF, 0xFE) || bytes.starts(with: [0xFE, 0xFF])
        return Diagnostic(
            rule: YAMLRule.invalidUTF8.rawValue,
            message: isUTF16 ? "the file is UTF-16, not UTF-8" : "this byte is not UTF-8",
            location: source.location(offset: invalid), help: "save the file as UTF-8")
    }
    let control = bytes.withUnsafeBufferPointer { firstControlByte(in: $0) }
    guard let control else { return nil }
    let isNUL = bytes[control] == 0
    return Diagnostic(
        rule: YAMLRule.controlCharacter.rawValue,
        message: isNUL
            ? "the file contains a NUL byte" : "the file contains the control character \(bytes[control])",
        location: source.location(offset: control),
        help: isNUL ? "remove it" : "remove it; in a quoted text it can be written as an escape")
}

/// Where the text stops being UTF-8. Nil when all of it is.
package func firstInvalidByte(in bytes: [UInt8]) -> Int? {
    do {
        _ = try UTF8Span(validating: bytes.span)
        return nil
    } catch {
        return error.byteOffsets.lowerBound
    }
}

/// The first control character but tab and line ends.
private func firstControlByte(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    for offset in bytes.indices where bytes[offset] < 0x20 || bytes[offset] == 0x7F {
        switch bytes[offset] {
        case 0x09, 0x0A, 0x0D: continue
        default: return offset
        }
    }
    return nil
}

/// Drives libyaml and feeds the builder.
private struct EventReader {
    let source: SourceText
    var builder: TreeBuilder
    var diagnostics: [Diagnostic] = []

    init(source: SourceText) {
        self.source = source
        builder = TreeBuilder(byteCount: source.bytes.count)
    }

    /// False when the document could not be read to its end.
    mutating func read() -> Bool {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            diagnostics.append(
                Diagnostic(rule: YAMLRule.syntax.rawValue, message: "there is no memory left to read the manifest"))
            return false
        }
        defer { yaml_parser_delete(parser) }
        return source.bytes.withUnsafeBufferPointer { all in
            // The parser would count the byte order mark as a column.
            let bytes = UnsafeBufferPointer(rebasing: all[min(source.firstByte, all.count)...])
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            // An empty file has no buffer, and the parser insists on one.
            var nothing: UInt8 = 0
            return withUnsafePointer(to: &nothing) { nothing in
                yaml_parser_set_input_string(parser, bytes.baseAddress ?? nothing, bytes.count)
                return readEvents(parser)
            }
        }
    }

    private mutating func readEvents(_ parser: UnsafeMutablePointer<yaml_parser_t>) -> Bool {
        var event = yaml_event_t()
        var documents = 0
        while true {
            guard yaml_parser_parse(parser, &event) == 1 else {
                diagnostics.append(syntaxDiagnostic(parser.pointee))
                return false
            }
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_END_EVENT: return true
            case YAML_DOCUMENT_START_EVENT:
                documents += 1
                if documents > 1 {
                    report(
                        .multipleDocuments, "a second document begins here, and a manifest is one document",
                        at: event.start_mark, help: "move it to a file of its own")
                    return true
                }
            case YAML_SCALAR_EVENT, YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT, YAML_ALIAS_EVENT,
                YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
                guard take(event) else { return false }
            default: break
            }
        }
    }

    private mutating func take(_ event: yaml_event_t) -> Bool {
        let start = TreeBuilder.Mark(event.start_mark)
        let end = TreeBuilder.Mark(event.end_mark)
        guard builder.nodeCount < YAMLLimits.nodes else {
            report(.tooManyNodes, "the document has more than \(YAMLLimits.nodes) nodes", at: event.start_mark)
            return false
        }
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let tag = takeTag(scalar.tag, at: event.start_mark)
            let id = builder.addScalar(
                UnsafeBufferPointer(start: scalar.value, count: scalar.length), style: scalar.style.reading,
                tag: tag, from: start, to: end)
            if let anchor = scalar.anchor { builder.anchor(String(cString: anchor), to: id) }
        case YAML_SEQUENCE_START_EVENT:
            _ = takeTag(event.data.sequence_start.tag, at: event.start_mark)
            return open(.sequence, anchor: event.data.sequence_start.anchor, event: event)
        case YAML_MAPPING_START_EVENT:
            _ = takeTag(event.data.mapping_start.tag, at: event.start_mark)
            return open(.mapping, anchor: event.data.mapping_start.anchor, event: event)
        case YAML_ALIAS_EVENT:
            guard let anchor = event.data.alias.anchor else { return true }
            guard builder.alias(String(cString: anchor), at: start, to: end) else {
                report(
                    .aliasExpansion, "aliases stand for more than \(YAMLLimits.aliasedNodes) nodes",
                    at: event.start_mark, help: "use `defaults:` for what all sidecars share")
                return false
            }
        default: builder.close()
        }
        return true
    }

    private mutating func open(
        _ kind: YAMLDocument.Kind, anchor: UnsafeMutablePointer<UInt8>?, event: yaml_event_t
    ) -> Bool {
        guard builder.frames.count < YAMLLimits.depth else {
            report(.tooDeep, "the document is nested more than \(YAMLLimits.depth) levels deep", at: event.start_mark)
            return false
        }
        let id = builder.open(kind, at: TreeBuilder.Mark(event.start_mark), to: TreeBuilder.Mark(event.end_mark))
        if let anchor { builder.anchor(String(cString: anchor), to: id) }
        return true
    }

    private mutating func takeTag(_ tag: UnsafeMutablePointer<UInt8>?, at mark: yaml_mark_t) -> YAMLDocument.Tag {
        guard let tag else { return .none }
        let name = String(cString: tag)
        let core = "tag:yaml.org,2002:"
        if name == "!" || name == core + "str" { return .text }
        if name == core + "null" { return .null }
        if ["int", "float", "bool", "map", "seq"].contains(where: { name == core + $0 }) { return .typed }
        let shown = name.hasPrefix(core) ? "!!" + name.dropFirst(core.count) : name
        report(.unknownTag, "the tag '\(shown)' means nothing here", at: mark, help: "remove it")
        return .none
    }

    private mutating func report(_ rule: YAMLRule, _ message: String, at mark: yaml_mark_t, help: String? = nil) {
        diagnostics.append(
            Diagnostic(
                rule: rule.rawValue, message: message,
                location: source.location(line: Int(mark.line), column: Int(mark.column)), help: help))
    }

    private func syntaxDiagnostic(_ parser: yaml_parser_t) -> Diagnostic {
        let problem = parser.problem.map { String(cString: $0) } ?? "the parser gave no reason"
        let context = parser.context.map { String(cString: $0) }
        return SyntaxProblem(
            problem: problem, context: context,
            place: source.location(line: Int(parser.problem_mark.line), column: Int(parser.problem_mark.column)),
            contextPlace: context == nil
                ? nil
                : source.location(line: Int(parser.context_mark.line), column: Int(parser.context_mark.column))
        ).diagnostic(in: source)
    }
}

extension TreeBuilder.Mark {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: UInt32(truncatingIfNeeded: mark.line), column: UInt32(truncatingIfNeeded: mark.column))
    }
}

extension yaml_scalar_style_t {
    fileprivate var reading: YAMLDocument.Style {
        switch self {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE, YAML_DOUBLE_QUOTED_SCALAR_STYLE: .quoted
        case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
        default: .plain
        }
    }
}
