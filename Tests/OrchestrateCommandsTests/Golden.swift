import Glibc
import Testing

/// A text a person reads, kept beside the tests. `UPDATE_GOLDENS=1` writes what is there now.
enum Golden {
    static func expect(
        _ text: String, is name: String, sourceLocation: SourceLocation = #_sourceLocation, file: String = #filePath
    ) {
        let directory = file[..<(file.lastIndex(of: "/") ?? file.startIndex)]
        let path = "\(directory)/Goldens/\(name).txt"
        let text = text.hasSuffix("\n") ? text : text + "\n"
        if getenv("UPDATE_GOLDENS") != nil {
            write(text, to: path)
            return
        }
        #expect(text == read(path), "differs from \(name).txt", sourceLocation: sourceLocation)
    }

    private static func read(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { return }
        defer { fclose(file) }
        let bytes = Array(text.utf8)
        _ = fwrite(bytes, 1, bytes.count, file)
    }
}
