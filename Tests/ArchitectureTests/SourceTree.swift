import Glibc

/// A Swift or C file of the package, as text.
struct SourceFile {
    /// Relative to the package: `Sources/Planning/Plan.swift`.
    let path: String
    let lines: [String]

    /// The folder beneath `Sources` or `Tests`.
    var module: String {
        let parts = path.split(separator: "/")
        return parts.count > 1 ? String(parts[1]) : ""
    }

    /// Line numbers, from 1, with the code of each line: without its comment.
    var code: [(number: Int, text: Substring)] {
        lines.enumerated().map { offset, line in (offset + 1, withoutComment(line)) }
    }

    /// The modules named by the file's imports, with the line of each.
    var imports: [(number: Int, module: String)] {
        code.compactMap { number, text in
            let words = text.split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"),
                words[..<keyword].allSatisfy({ importModifiers.contains(String($0)) || $0.hasPrefix("@") }),
                // `import struct Foundation.Data` names a kind first.
                let name = words[(keyword + 1)...].first(where: { !importKinds.contains(String($0)) })
            else { return nil }
            return (number, String(name.prefix(while: { $0 != "." })))
        }
    }
}

private let importModifiers: Set<String> = ["package", "public", "internal", "private", "fileprivate"]
private let importKinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]

/// Good enough for our own sources: a `//` within a string literal hides the rest of that line from the checks.
private func withoutComment(_ line: String) -> Substring {
    var previous: Character?
    for index in line.indices {
        let character = line[index]
        if character == "/", previous == "/" { return line[..<line.index(before: index)] }
        previous = character
    }
    return line[...]
}

/// The identifiers and keywords of a line.
func words(of code: Substring) -> Set<Substring> {
    Set(code.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "_") }))
}

enum SourceTree {
    /// The package's directory, from where this file is.
    static let root: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(3).joined(separator: "/")
    }()

    static let sources = files(beneath: "Sources", [".swift"])
    static let tests = files(beneath: "Tests", [".swift"])
    static let inC = files(beneath: "Sources", [".c", ".h"]) + files(beneath: "Tests", [".c", ".h"])

    /// Every file with one of these endings in a directory of the package and those beneath it, in order of path.
    static func files(beneath directory: String, _ endings: [String]) -> [SourceFile] {
        var found: [SourceFile] = []
        for name in entries(of: "\(root)/\(directory)") {
            let path = "\(directory)/\(name)"
            if endings.contains(where: name.hasSuffix) {
                found.append(SourceFile(path: path, lines: lines(of: "\(root)/\(path)")))
            } else if !name.contains(".") {
                found += files(beneath: path, endings)
            }
        }
        return found
    }

    static func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    static func lines(of path: String) -> [String] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
            bytes += chunk[..<count]
        }
        var lines = String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}
