import SidecarModel
import YAMLReading

enum InterpolationMode {
    /// `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `$$`, and references.
    case full
    /// Only references with a dot: all else is the shell's.
    case shell
}

struct Interpolated {
    var template: Template
    /// A variable could not be, or was not to be, replaced.
    var isUnresolved = false
    var usedVariables = false
}

extension ManifestDecoder {
    func hasDollar(_ node: NodeID) -> Bool {
        document.withText(node) { $0.contains(UInt8(ascii: "$")) }
    }

    /// Whether a variable was left in it, so that it names nothing yet.
    func isUnread(_ text: String) -> Bool { leavesVariables && text.range(ofASCII: "${") != nil }

    /// A scalar as text in which references may stand.
    func template(_ node: NodeID, named name: String, mode: InterpolationMode = .full) -> Template? {
        interpolated(node, named: name, mode: mode)?.template
    }

    /// The same for whom it matters whether all of it is known.
    func interpolated(_ node: NodeID, named name: String, mode: InterpolationMode = .full) -> Interpolated? {
        guard document.kind(node) == .scalar else {
            reportKind(of: node, "'\(name)'", takes: "text")
            return nil
        }
        guard !isNothing(node, named: name) else { return nil }
        guard hasDollar(node) else { return Interpolated(template: Template(document.string(node))) }
        return interpolate(document.string(node), at: node, mode: mode)
    }

    /// Variables are replaced, references become segments. What a variable holds is never looked into again.
    func interpolate(_ text: String, at node: NodeID, mode: InterpolationMode) -> Interpolated {
        var result = SegmentCollector()
        let bytes = Array(text.utf8)
        expand(bytes[...], into: &result, at: node, mode: mode, depth: 0)
        return result.finish()
    }

    func expand(
        _ bytes: ArraySlice<UInt8>, into result: inout SegmentCollector, at node: NodeID, mode: InterpolationMode,
        depth: Int
    ) {
        lazy var mayQuote = bytes.contains {
            $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "<")
        }
        var position = bytes.startIndex
        while position < bytes.endIndex {
            guard bytes[position] == UInt8(ascii: "$"), position + 1 < bytes.endIndex else {
                result.literal.append(bytes[position])
                position += 1
                continue
            }
            switch bytes[position + 1] {
            case UInt8(ascii: "$") where mode == .full:
                result.literal.append(UInt8(ascii: "$"))
                position += 2
            case UInt8(ascii: "{"):
                guard let end = closingBrace(in: bytes, from: position + 2) else {
                    if mode == .full {
                        report(
                            .interpolationSyntax, at: node, "'${' without its '}'",
                            help: "close it, or write '$${' for the text")
                    }
                    result.literal.append(contentsOf: bytes[position...])
                    return
                }
                let content = bytes[(position + 2)..<end]
                // In a script that quotes something it may be quoted: nothing is said where that could be meant.
                let isOurs = mode == .shell && isSlip(content) && !mayQuote
                if !expandExpression(content, into: &result, at: node, mode: isOurs ? .full : mode, depth: depth) {
                    result.literal.append(contentsOf: bytes[position...end])
                }
                position = end + 1
            default:
                result.literal.append(bytes[position])
                position += 1
            }
        }
    }

    /// False: leave it as it stands.
    private func expandExpression(
        _ content: ArraySlice<UInt8>, into result: inout SegmentCollector, at node: NodeID, mode: InterpolationMode,
        depth: Int
    ) -> Bool {
        let text = String(decoding: content, as: UTF8.self)
        if isReference(text, mode: mode) {
            guard let reference = Reference(parsing: text) else {
                let isSecret = text.hasPrefix("secrets.")
                report(
                    .unknownReference, at: node, "there is nothing called '${\(text)}'",
                    help: isSecret
                        ? "a secret is handed over as a variable, and never part of a text: secrets: { VARIABLE: name }"
                        : "references are ${ports.NAME}, ${sidecars.NAME.ports.PORT}, ${sidecars.NAME.host}, "
                            + "${sidecars.NAME.addresses.PORT}, ${project.name}, ${project.dir}, ${project.data}, "
                            + "${sidecar.name} and ${replica}")
                return true
            }
            references.append(WrittenReference(sidecar: current, reference: reference, node: node))
            result.append(reference)
            return true
        }
        if mode == .shell { return false }
        return expandVariable(content, text: text, into: &result, at: node, depth: depth)
    }

    private func expandVariable(
        _ content: ArraySlice<UInt8>, text: String, into result: inout SegmentCollector, at node: NodeID, depth: Int
    ) -> Bool {
        let nameEnd = content.firstIndex { !isNameByte($0) } ?? content.endIndex
        let name = String(decoding: content[content.startIndex..<nameEnd], as: UTF8.self)
        let rest = content[nameEnd...]
        guard let first = name.utf8.first, !(0x30...0x39).contains(first),
            rest.isEmpty || rest.starts(with: ":-".utf8) || rest.starts(with: ":?".utf8)
        else {
            report(
                .interpolationSyntax, at: node, "'${\(text)}' is no variable and no reference",
                help: "the forms are ${VAR}, ${VAR:-default} and ${VAR:?message}; '$$' is a dollar sign")
            return true
        }
        result.usedVariables = true
        interpolatedVariables.append((name, node))
        guard options.interpolates else {
            result.isUnresolved = true
            leavesVariables = true
            return false
        }
        let value = variable(name)
        // Its value is not to be shown, so it comes into nothing that may be: that it was to is reported in the end.
        if value != nil, secretVariables[name] != nil {
            result.isUnresolved = true
            leavesVariables = true
            return false
        }
        if let value, !value.isEmpty || rest.isEmpty {
            result.literal.append(contentsOf: value.utf8)
            return true
        }
        if rest.starts(with: ":-".utf8) {
            guard depth < 16 else {
                report(.interpolationSyntax, at: node, "defaults are nested more than 16 deep")
                return true
            }
            expand(rest.dropFirst(2), into: &result, at: node, mode: .full, depth: depth + 1)
            return true
        }
        result.isUnresolved = true
        guard !reportsDotEnvironment(at: node) else { return true }
        let message = String(decoding: rest.dropFirst(2), as: UTF8.self)
        if rest.starts(with: ":?".utf8) {
            report(
                .requiredVariable, at: node,
                message.isEmpty ? "the variable \(name) is not set" : "\(name): \(message)",
                help: "set \(name) in the environment or in .env beside the manifest")
        } else {
            report(
                .undefinedVariable, at: node, "the variable \(name) is not set",
                help: "set it, give it a default as in ${\(name):-value}, or write '$$' for a dollar sign")
        }
        return true
    }

    /// Where only text is taken. Some of what references name is known from the file, and can be written out.
    func reportReference(in template: Template, at node: NodeID, named name: String) {
        guard let reference = template.references.first else { return }
        let isPath = ["dir", "env_file", "file"].contains(name)
        let help =
            switch reference {
            case .projectDirectory where isPath:
                "a relative path starts at the manifest's directory: write the rest of it"
            case .projectName, .projectDirectory, .sidecarName: "write it out"
            case .port, .sidecarPort, .sidecarHost, .sidecarAddresses, .projectData, .replica:
                "a variable of whoever brings the project up can stand here: ${VAR}"
            }
        let reason =
            switch reference {
            case .projectName, .projectDirectory, .sidecarName:
                "'\(name)' takes no references, and ${\(reference)} is one"
            case .port, .sidecarPort, .sidecarHost, .sidecarAddresses, .projectData, .replica:
                "'\(name)' can't hold ${\(reference)}, which is known only at run time"
            }
        report(
            .referenceNotAllowed, at: node, reason,
            help: "\(help); references can stand in command, shell, cwd, env, hooks and health checks")
    }

    private func isReference(_ text: String, mode: InterpolationMode) -> Bool {
        guard let dot = text.utf8.firstIndex(of: UInt8(ascii: ".")) else { return mode == .full && text == "replica" }
        guard text.utf8.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }) else {
            return false
        }
        return mode == .full || ["ports", "sidecars", "sidecar", "project"].contains(text[..<dot])
    }

    /// What may be a slip of ours in a script, as no shell knows it. It may be text for another program, too.
    private func isSlip(_ content: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: content, as: UTF8.self)
        guard let dot = text.utf8.firstIndex(of: UInt8(ascii: ".")) else { return false }
        return ["port", "projects", "secrets"].contains(text[..<dot])
            && text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private func closingBrace(in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        var depth = 0
        var position = start
        while position < bytes.endIndex {
            if bytes[position] == UInt8(ascii: "}") {
                if depth == 0 { return position }
                depth -= 1
            } else if bytes[position] == UInt8(ascii: "$"), position + 1 < bytes.endIndex,
                bytes[position + 1] == UInt8(ascii: "{")
            {
                depth += 1
                position += 1
            }
            position += 1
        }
        return nil
    }
}

func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
    default: false
    }
}

/// Builds a template piece by piece.
struct SegmentCollector {
    var literal: [UInt8] = []
    var isUnresolved = false
    var usedVariables = false
    private var segments: [Template.Segment] = []

    mutating func append(_ reference: Reference) {
        flush()
        segments.append(.reference(reference))
    }

    mutating func finish() -> Interpolated {
        flush()
        return Interpolated(
            template: Template(segments: segments), isUnresolved: isUnresolved, usedVariables: usedVariables)
    }

    private mutating func flush() {
        guard !literal.isEmpty else { return }
        segments.append(.literal(String(decoding: literal, as: UTF8.self)))
        literal.removeAll(keepingCapacity: true)
    }
}
