import DiagnosticRendering
import ManifestLoading
import SidecarModel
import Testing

@Suite struct ReferenceTests {
    private static let root = parentDirectory(of: parentDirectory(of: parentDirectory(of: #filePath)))

    @Test(arguments: [
        ("schemas/sidecars.schema.json", manifestSchema()), ("docs/reference/manifest.md", manifestReference()),
        ("docs/reference/rules.md", ruleReference()),
    ])
    func `generated pages are up to date: if not, swift run generate-reference`(path: String, text: String) throws {
        let bytes = try HostFiles().read("\(Self.root)/\(path)", limit: 1 << 22)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test func `the README names every key that is still to come`() throws {
        let text = String(decoding: try HostFiles().read("\(Self.root)/README.md", limit: 1 << 20), as: UTF8.self)
        let section = try #require(text.split(separator: "\n## ").first { $0.hasPrefix("What is not there yet") })
        for key in laterKeys { #expect(section.contains("`\(key)`"), "\(key)") }
    }

    @Test func `the reference says how a sidecar may be called`() {
        #expect(manifestReference().contains("A sidecar's name has lower-case letters, digits, `-` and `_`"))
        func rules(forNameOf length: Int) -> [String] {
            let name = String(repeating: "a", count: length)
            let text = "sidecars: { \(name): { command: ./a } }"
            return load(text, options: LoadOptions(checksHost: false)).diagnostics.map(\.rule)
        }
        #expect(rules(forNameOf: 63) == [])
        #expect(rules(forNameOf: 64) == ["invalid-sidecar-name"])
    }

    /// Every example of the table is loaded in its place.
    @Test func `the examples of the key table are valid`() {
        let taskOnly: Set<String> = ["timeout"]
        for key in sidecarKeys.keys where !["command", "shell", "kind"].contains(key.name) {
            let kind = taskOnly.contains(key.name) ? "task" : "service"
            let text = """
                \(key.name == "secrets" ? "secrets: { pg: { generate: 32 }, key: { file: key.pem } }" : "env: {}")
                sidecars:
                  migrate: { command: [./m], kind: task }
                  db: { command: [./db], health: { notify: true } }
                  web:
                    command: [./web]
                    kind: \(kind)
                    \(key.name == "ports" ? "description: x" : "ports: { http: 8080-8090 }")
                    \(key.name): \(key.example)
                """
            let loaded = load(text, options: LoadOptions(checksHost: false))
            #expect(loaded.report == [], "\(text)")
        }
    }

    @Test func `the examples of probes are valid`() {
        for key in probeKeys.keys {
            let isCheck = ["http", "tcp", "exec", "unix", "file", "log", "notify"].contains(key.name)
            let port = key.name == "tcp" || key.name == "exec" ? "sql" : "http"
            let loaded = load(
                """
                sidecars:
                  web:
                    command: [./web]
                    ports: { \(port): 8080 }
                    health:
                      \(isCheck ? "period: 3s" : "unix: a.sock")
                      \(key.name): \(key.example)
                """)
            #expect(loaded.report == (key.name == "period" ? loaded.report : []))
            #expect(loaded.plan != nil)
        }
    }
}
