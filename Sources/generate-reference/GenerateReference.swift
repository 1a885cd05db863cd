import DiagnosticRendering
import Glibc
import ManifestLoading

/// Writes what is generated from the key table and the rules into the tree: `generate-reference [ROOT]`.
@main
struct GenerateReference {
    static func main() {
        let root = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "."
        let pages = [
            ("schemas/sidecars.schema.json", manifestSchema()),
            ("docs/reference/manifest.md", manifestReference()),
            ("docs/reference/rules.md", ruleReference()),
        ]
        for (path, text) in pages where !write(text, to: "\(root)/\(path)") {
            perror("cannot write \(root)/\(path)")
            exit(1)
        }
    }

    private static func write(_ text: String, to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        let isWritten = fputs(text, file) >= 0
        return fclose(file) == 0 && isWritten
    }
}
