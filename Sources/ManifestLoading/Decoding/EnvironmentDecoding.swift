import SidecarModel
import YAMLReading

extension ManifestDecoder {
    /// Values are the text as written: `0644` and `on` stay what they are.
    func environment(_ node: NodeID) -> [EnvironmentEntry] {
        if document.isNull(node) { return [] }
        guard document.kind(node) == .mapping else {
            let isList = document.kind(node) == .sequence
            report(
                .wrongType, at: node, "'env' takes a mapping, and this is \(document.kind(node).sentence)",
                help: isList ? "write NAME: value instead of - NAME=value" : nil)
            return []
        }
        var entries: [EnvironmentEntry] = []
        let count = document.count(node)
        entries.reserveCapacity(count)
        for position in 0..<count {
            let (key, value) = document.pair(node, at: position)
            let name = document.string(key)
            guard isVariableName(name) else {
                report(
                    .invalidVariableName, at: key, "'\(name)' can't be a variable's name",
                    help: "letters, digits and '_', not beginning with a digit")
                continue
            }
            if document.isNull(value) {
                // An empty value is written "".
                entries.append(EnvironmentEntry(name: name, value: nil))
            } else if document.kind(value) == .scalar {
                if !hasDollar(value) { checkSecret(named: name, value: value) }
                if let template = template(value, named: name) {
                    entries.append(EnvironmentEntry(name: name, value: template))
                }
            } else {
                report(
                    .wrongType, at: value,
                    "the variable '\(name)' takes text, and this is \(document.kind(value).sentence)")
            }
        }
        return entries
    }

    /// The later win, in the order of first mention.
    func merged(_ base: [EnvironmentEntry], _ over: [EnvironmentEntry]) -> [EnvironmentEntry] {
        if base.isEmpty { return over }
        if over.isEmpty { return base }
        var result = base
        if base.count * over.count <= 256 {
            for entry in over {
                if let position = result.firstIndex(where: { $0.name == entry.name }) {
                    result[position] = entry
                } else {
                    result.append(entry)
                }
            }
            return result
        }
        var positions: [String: Int] = [:]
        for (position, entry) in base.enumerated() { positions[entry.name] = position }
        for entry in over {
            if let position = positions[entry.name] {
                result[position] = entry
            } else {
                positions[entry.name] = result.count
                result.append(entry)
            }
        }
        return result
    }

    // MARK: Files

    /// A path, or a list of paths and `{path, required}`.
    func environmentFiles(_ node: NodeID) -> [EnvironmentEntry] {
        let items = document.kind(node) == .sequence ? document.items(node) : [node]
        var entries: [EnvironmentEntry] = []
        for item in items {
            var form = EnvironmentFileForm()
            if document.kind(item) == .scalar {
                form.path = path(item, named: "env_file")
            } else {
                decode(item, by: environmentFileKeys, named: "env_file", into: &form) { _, node, form in
                    form.path = path(node, named: "path")
                }
                if document.kind(item) == .mapping, document.value(of: "path", in: item) == nil {
                    report(.missingKey, at: item, "the entry doesn't say which file", help: "add 'path:'")
                }
            }
            guard let path = form.path else { continue }
            guard let literal = path.literal else {
                report(
                    .referenceNotAllowed, at: item, "'env_file' can't hold a reference that is known only at run time")
                continue
            }
            entries = merged(entries, readEnvironmentFile(literal, required: form.required, at: item))
        }
        return entries
    }

    private func readEnvironmentFile(_ path: String, required: Bool, at node: NodeID) -> [EnvironmentEntry] {
        guard options.checksHost else { return [] }
        if let known = environmentFiles[path] { return known }
        let bytes: [UInt8]
        do {
            bytes = try files.read(path, limit: 1 << 20)
        } catch {
            if required || error != .notFound {
                report(
                    .environmentFileNotFound, at: node, "cannot read \(path): \(error.reason)",
                    help: error == .notFound
                        ? "create it, or write { path: …, required: false }"
                        : error == .permissionDenied ? "let this user read it" : nil)
            }
            return []
        }
        let parsed = parseEnvironmentFile(bytes)
        for problem in parsed.problems {
            report(
                .environmentFileSyntax, at: node, "\(path):\(problem.line): \(problem.message)",
                help: "lines are NAME=value, # comments, or empty")
        }
        var entries: [EnvironmentEntry] = []
        var positions: [String: Int] = [:]
        for (name, value) in parsed.entries {
            let entry = EnvironmentEntry(name: name, value: Template(value))
            if let position = positions[name] {
                entries[position] = entry
            } else {
                positions[name] = entries.count
                entries.append(entry)
            }
        }
        environmentFiles[path] = entries
        return entries
    }

    func readDotEnvironment() -> [String: String] {
        options.checksHost ? environmentFile(beside: directory, files: files) : [:]
    }
}

/// What `.env` in the manifest's directory says. Nothing when there is none.
package func environmentFile(beside directory: String, files: any FileReading) -> [String: String] {
    guard let bytes = try? files.read(directory + "/.env", limit: 1 << 20) else { return [:] }
    var values: [String: String] = [:]
    for entry in parseEnvironmentFile(bytes).entries { values[entry.name] = entry.value }
    return values
}

struct EnvironmentFile {
    var entries: [(name: String, value: String)] = []
    var problems: [(line: Int, message: String)] = []
}

/// `NAME=value` lines. `export ` before a name and spaces round it are ignored; `#` begins a comment at the start of a
/// line or after a space; single quotes keep everything, double quotes know \n, \t, \r, \", \\ and \$; quoted values may
/// span lines. Nothing is interpolated: a file means the same wherever it is read.
func parseEnvironmentFile(_ bytes: [UInt8]) -> EnvironmentFile {
    var file = EnvironmentFile()
    var scanner = EnvironmentScanner(bytes: bytes)
    while let line = scanner.next() {
        switch line {
        case .entry(let name, let value): file.entries.append((name, value))
        case .problem(let number, let message): file.problems.append((number, message))
        }
    }
    return file
}

private struct EnvironmentScanner {
    enum Line {
        case entry(String, String)
        case problem(Int, String)
    }

    let bytes: [UInt8]
    var position: Int
    var line = 1

    init(bytes: [UInt8]) {
        self.bytes = bytes
        position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    mutating func next() -> Line? {
        while position < bytes.count {
            skipSpaces()
            guard position < bytes.count else { return nil }
            switch bytes[position] {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): skipLine()
            default: return entry()
            }
        }
        return nil
    }

    private mutating func entry() -> Line {
        let start = line
        var name = takeName()
        if name == "export" {
            skipSpaces()
            let following = takeName()
            if !following.isEmpty { name = following }
        }
        skipSpaces()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else {
            skipLine()
            return .problem(start, "there is no '=' after the name")
        }
        position += 1
        guard isVariableName(name) else {
            skipLine()
            return .problem(start, "'\(name)' can't be a variable's name")
        }
        skipSpaces()
        guard let value = takeValue() else { return .problem(start, "a quote is not closed") }
        if value.contains(0) { return .problem(start, "the value contains a NUL byte") }
        return .entry(name, String(decoding: value, as: UTF8.self))
    }

    private mutating func takeName() -> String {
        let start = position
        while position < bytes.count,
            isNameByte(bytes[position]) || bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: ".")
        {
            position += 1
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func takeValue() -> [UInt8]? {
        guard position < bytes.count else { return [] }
        let quote = bytes[position]
        if quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") { return takeQuoted(quote) }
        let start = position
        var end = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") {
            let byte = bytes[position]
            if byte == UInt8(ascii: "#"), position > start, isSpace(bytes[position - 1]) { break }
            if byte == UInt8(ascii: "#"), position == start { break }
            position += 1
            if !isSpace(byte), byte != UInt8(ascii: "\r") { end = position }
        }
        let value = Array(bytes[start..<end])
        skipLine()
        return value
    }

    private mutating func takeQuoted(_ quote: UInt8) -> [UInt8]? {
        position += 1
        var value: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == quote {
                skipLine()
                return value
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard quote == UInt8(ascii: "\""), byte == UInt8(ascii: "\\"), position < bytes.count else {
                value.append(byte)
                continue
            }
            let escaped = bytes[position]
            position += 1
            switch escaped {
            case UInt8(ascii: "n"): value.append(0x0A)
            case UInt8(ascii: "t"): value.append(0x09)
            case UInt8(ascii: "r"): value.append(0x0D)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"): value.append(escaped)
            default: value += [byte, escaped]
            }
        }
        return nil
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private mutating func skipSpaces() { while position < bytes.count, isSpace(bytes[position]) { position += 1 } }

    private mutating func skipLine() {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        if position < bytes.count { position += 1 }
        line += 1
    }
}
