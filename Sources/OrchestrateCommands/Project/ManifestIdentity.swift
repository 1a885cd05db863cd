import Glibc
import ManifestLoading
import Planning
import SidecarModel

/// The top-level `id` of a manifest, without reading all of it: it has to be found in a broken one too, or else
/// `down` would look for another project than `up` started.
enum ManifestIdentity {
    static func id(ofManifestAt path: String, environment: [String: String]) -> String? {
        guard let text = try? HostFiles().read(path, limit: 16 << 20) else { return nil }
        switch scan(text) {
        case .found(let id): return id
        case .none: return nil
        case .needsReading:
            return loadManifest(
                path: path, environment: environment, options: LoadOptions(checksHost: false, readsFiles: true),
                files: HostFiles()
            ).plan?.project.id
        }
    }

    /// The same of a text that is already here.
    static func id(
        in text: [UInt8], shownAs file: String, directory: String, environment: [String: String]
    ) -> String? {
        switch scan(text) {
        case .found(let id): return id
        case .none: return nil
        case .needsReading:
            return loadManifest(
                text: text, file: file, directory: directory, environment: environment,
                options: LoadOptions(checksHost: false, readsFiles: true), files: HostFiles()
            ).plan?.project.id
        }
    }

    enum Finding: Equatable {
        case found(String)
        case none
        /// Written in a way only the whole reader understands.
        case needsReading
    }

    /// In block style a top-level key starts its line, and nothing else can: all below it is indented.
    static func scan(_ text: [UInt8]) -> Finding {
        var isFirst = true
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let first = line.first else { continue }
            if isFirst, first == UInt8(ascii: "{") { return .needsReading }
            if first != UInt8(ascii: "#"), first != UInt8(ascii: "%") { isFirst = false }
            for key in ["id:", "\"id\":", "'id':"] where line.starts(with: key.utf8) {
                return value(String(decoding: line.dropFirst(key.utf8.count), as: UTF8.self))
            }
        }
        return .none
    }

    private static func value(_ rest: String) -> Finding {
        var text = rest[...]
        func trim() {
            text = text.drop { $0 == " " || $0 == "\t" }
            while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
        }
        trim()
        if text.contains("$") || text.hasPrefix("&") || text.hasPrefix("*") || text.hasPrefix("!")
            || text.hasPrefix("|") || text.hasPrefix(">") || text.contains("\\")
        {
            return .needsReading
        }
        if let quote = text.first, quote == "\"" || quote == "'" {
            let content = text.dropFirst()
            guard let end = content.firstIndex(of: quote) else { return .needsReading }
            return .found(String(content[..<end]))
        }
        if text.hasPrefix("#") { return .none }
        var words = ""
        var previous: Character = "x"
        for character in text {
            if character == "#", previous == " " || previous == "\t" { break }
            words.append(character)
            previous = character
        }
        while words.last == " " || words.last == "\t" { words.removeLast() }
        return words.isEmpty ? .none : .found(words)
    }
}
