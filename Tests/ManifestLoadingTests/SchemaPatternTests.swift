import DiagnosticRendering
import ManifestLoading
import SidecarModel
import Testing

/// What an editor says by the schema, and what is said when the manifest is loaded.
@Suite struct SchemaPatternTests {
    private func isLoaded(_ body: String) -> Bool {
        load("sidecars:\n  web:\n    command: ./web\n    \(body)\n").plan != nil
    }

    private func matches(_ text: String, _ pattern: String) throws -> Bool {
        try Regex(pattern).wholeMatch(in: text) != nil
    }

    @Test(arguments: [
        ("0", true), ("5s", true), ("1.5s", true), ("1m30s", true), ("1d1h1m1s1ms1us", true), ("2h5ms", true),
        ("30s1m", false), ("1h1h", false), ("1ms1s", false), ("5", false), ("5x", false), ("5 s", false),
        (".5s", false), ("5.s", false), ("-5s", false), ("s", false), ("", false),
    ])
    func `the schema takes the durations that are read`(text: String, isValid: Bool) throws {
        #expect(isLoaded("stop: { grace: \"\(text)\" }") == isValid)
        #expect(try matches(text, SchemaPattern.duration) == isValid)
    }

    @Test(arguments: [
        ("10MiB", true), ("10Mi", true), ("10MB", true), ("8kB", true), ("8KB", true), ("8KiB", true), ("8192B", true),
        ("1.5GiB", true), ("2Ti", true), ("10M", false), ("10 MiB", false), ("8kiB", false), ("10mib", false),
        ("1..5MiB", false), ("8192", false), ("MiB", false), ("", false),
    ])
    func `the schema takes the sizes that are read`(text: String, isValid: Bool) throws {
        #expect(isLoaded("logs: { max_size: \"\(text)\" }") == isValid)
        #expect(try matches(text, SchemaPattern.size) == isValid)
    }

    @Test(arguments: [
        ("auto", true), ("1", true), ("8080", true), ("65535", true), ("8080-8200", true), ("0", false), ("-1", false),
        ("65536", false), ("70000", false), ("8080:80", false), ("AUTO", false), ("8080-", false),
        ("8080-70000", false),
        ("", false),
    ])
    func `the schema takes the ports that are read`(text: String, isValid: Bool) throws {
        #expect(isLoaded("ports: { http: \"\(text)\" }") == isValid)
        #expect(try matches(text, SchemaPattern.portRange) == isValid)
    }

    @Test func `env may say nothing, and a header may not`() {
        #expect(isLoaded("env:"))
        let loaded = load(
            """
            sidecars:
              web:
                command: ./web
                ports: { http: 80 }
                health: { http: { headers: { A: null, B: "null" } } }
            """)
        #expect(loaded.report == ["5:34 missing-value: the header 'A' has no value"])
    }
}
