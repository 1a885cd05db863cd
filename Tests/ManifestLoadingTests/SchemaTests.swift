import ManifestLoading
import SidecarModel
import Testing

/// The schema takes what is loaded: an editor underlines nothing that `validate` is content with.
@Suite struct SchemaTests {
    private static let sidecar = "sidecars: { web: { command: ./web } }"

    @Test(arguments: [
        "version: \"${Z:-1}\"", "name: 5", "id: 5", "id: 1.5", "name: \"${Z:-shop}\"", "version: 1", "x-any: { a: b }",
        "secrets: { a: { command: 5 } }",
    ])
    func `the schema takes what may stand at the top of a manifest`(line: String) throws {
        let text = "\(line)\n\(Self.sidecar)\n"
        #expect(load(text).plan != nil, "\(load(text).report)")
        #expect(try SchemaReader().takes(text))
    }

    @Test(arguments: [
        "restart: { success_codes: \"${Z:-3}\" }", "restart: { success_codes: [\"${Z:-3}\", 4] }",
        "restart: { success_codes: 3 }", "restart: { no_restart_codes: \"${Z:-3}\" }",
        "restart: { no_restart_codes: [\"${Z:-3}\"] }", "health: { notify: \"${Z:-true}\" }",
        "health: { notify: true }",
        "health: { http: { port: 80, scheme: \"${Z:-http}\" } }", "health: { exec: 5 }",
        "health: { exec: [check, 5, true] }", "hooks: { post_start: { exec: 5 } }", "description: 5", "command: 5",
        "stop: { grace: \"${Z:-5s}\", signal: 15 }", "ports: { http: \"${Z:-80}\" }",
    ])
    func `the schema takes what may stand in a sidecar`(line: String) throws {
        let text = "sidecars: { web: { \(line.hasPrefix("command") ? "" : "command: ./web, ")\(line) } }\n"
        #expect(load(text).plan != nil, "\(load(text).report)")
        #expect(try SchemaReader().takes(text))
    }

    @Test(arguments: [
        "version: 2", "name: Shop", "id: a b", "sidecars: { web: { command: [] } }", "sidecars: { web: { comand: a } }",
        "sidecars: { web: { command: a, restart: { success_codes: [256] } } }",
        "sidecars: { web: { command: a, health: { notify: false } } }",
        "sidecars: { web: { command: a, health: { http: { scheme: https } } } }",
    ])
    func `the schema refuses what is refused`(line: String) throws {
        let text = line.hasPrefix("sidecars") ? line : "\(line)\n\(Self.sidecar)"
        #expect(load(text).plan == nil)
        #expect(try !SchemaReader().takes(text))
    }
}
