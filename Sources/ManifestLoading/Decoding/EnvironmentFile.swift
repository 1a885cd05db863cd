import SidecarModel
import YAMLReading

struct EnvironmentFile {
    var entries: [(name: String, value: String)] = []
    var problems: [EnvironmentFileProblem] = []
}

/// What could not be read of an environment file, in words that name the file.
package struct EnvironmentFileProblem: Sendable {
    var rule: RuleID
    /// With its place in it, where it has one.
    package var message: String
    var help: String?
    /// Where it stands in the file, and what stands there.
    var place: (location: SourceLocation, message: String)?

    init(reading path: String, failed reason: FileReadFailure) {
        rule = .environmentFileNotFound
        message = "cannot read \(path): \(reason.reason)"
        help =
            switch reason {
            case .notFound: "create it, or write { path: …, required: false }"
            case .permissionDenied: "let this user read it"
            case .isDirectory, .notAFile, .tooLarge, .other: nil
            }
    }

    fileprivate init(at place: SourceLocation, _ message: String, help: String) {
        rule = .environmentFileSyntax
        self.place = (place, message)
        self.message = "\(place.file):\(place.line):\(place.column): \(message)"
        self.help = help
    }
}

/// What `.env` in the manifest's directory says. Nothing when there is none.
package struct DotEnvironment: Sendable {
    package private(set) var values: [String: String] = [:]
    package private(set) var problems: [EnvironmentFileProblem] = []

    /// Nobody looked.
    init() {}

    package init(beside directory: String, files: any FileReading) {
        let path = directory + "/.env"
        do {
            let file = parseEnvironmentFile(try files.read(path, limit: 1 << 20), path: path)
            for entry in file.entries { values[entry.name] = entry.value }
            problems = file.problems
        } catch {
            // A directory of that name is something else, such as a virtual environment of Python's.
            if error != .notFound, error != .isDirectory {
                problems = [EnvironmentFileProblem(reading: path, failed: error)]
            }
        }
    }
}

/// `NAME=value` lines. `export ` before a name and spaces round it are ignored; `#` begins a comment at the start of a
/// line or after a space; single quotes keep everything, double quotes know \n, \t, \r, \", \\ and \$; quoted values may
/// span lines. Nothing is interpolated: a file means the same wherever it is read.
func parseEnvironmentFile(_ bytes: [UInt8], path: String) -> EnvironmentFile {
    let source = SourceText(file: path, bytes: bytes)
    var file = EnvironmentFile()
    if let offset = firstInvalidByte(in: bytes) {
        file.problems.append(
            .init(at: source.location(offset: offset), "this byte is not UTF-8", help: "save the file as UTF-8"))
        return file
    }
    var scanner = EnvironmentScanner(bytes: bytes)
    while let line = scanner.next() {
        switch line {
        case .entry(let name, let value): file.entries.append((name, value))
        case .problem(let offset, let message):
            file.problems.append(
                .init(
                    at: source.location(offset: offset), message, help: "lines are NAME=value, # comments, or empty"))
        }
    }
    return file
}

/// What such a file says, without some of its variables, so that it reads the same but for those. Comments and lines that
/// can't be read are left out too, as such a variable may stand in one.
package func environmentFileText(_ bytes: [UInt8], without names: Set<String>) -> String {
    let entries = parseEnvironmentFile(bytes, path: "").entries
    return entries.filter { !names.contains($0.name) }.map { name, value in
        var escaped: [UInt8] = []
        for byte in value.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { escaped.append(UInt8(ascii: "\\")) }
            escaped.append(byte)
        }
        return "\(name)=\"\(String(decoding: escaped, as: UTF8.self))\"\n"
    }.joined()
}

private struct EnvironmentScanner {
    enum Line {
        case entry(String, String)
        case problem(offset: Int, String)
    }

    private enum Value {
        case text([UInt8])
        case problem(offset: Int, String)
    }

    private let bytes: [UInt8]
    private var position: Int

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
        let start = position
        var name = takeName()
        if name == "export" {
            skipSpaces()
            let following = takeName()
            if !following.isEmpty { name = following }
        }
        skipSpaces()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else {
            defer { skipLine() }
            return .problem(offset: position, "there is no '=' after the name")
        }
        position += 1
        guard isVariableName(name) else {
            skipLine()
            return .problem(offset: start, "'\(name)' can't be a variable's name")
        }
        skipSpaces()
        switch takeValue() {
        case .problem(let offset, let message): return .problem(offset: offset, message)
        case .text(let value):
            if value.contains(0) { return .problem(offset: start, "the value contains a NUL byte") }
            return .entry(name, String(decoding: value, as: UTF8.self))
        }
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

    private mutating func takeValue() -> Value {
        guard position < bytes.count else { return .text([]) }
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
        return .text(value)
    }

    private mutating func takeQuoted(_ quote: UInt8) -> Value {
        let start = position
        position += 1
        var value: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == quote {
                defer { skipLine() }
                return isEndOfValue()
                    ? .text(value) : .problem(offset: position, "there is text after the closing quote")
            }
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
        return .problem(offset: start, "a quote is not closed")
    }

    /// After a closing quote: blanks, and a comment behind them.
    private mutating func isEndOfValue() -> Bool {
        let quoteEnd = position
        skipSpaces()
        guard position < bytes.count else { return true }
        switch bytes[position] {
        case UInt8(ascii: "\n"): return true
        case UInt8(ascii: "\r"): return position + 1 == bytes.count || bytes[position + 1] == UInt8(ascii: "\n")
        case UInt8(ascii: "#"): return position > quoteEnd
        default: return false
        }
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private mutating func skipSpaces() { while position < bytes.count, isSpace(bytes[position]) { position += 1 } }

    private mutating func skipLine() {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        if position < bytes.count { position += 1 }
    }
}
