import ManifestLoading
import Planning
import SidecarModel
import Testing

@Suite struct EnvironmentFileTests {
    private func entries(_ text: String) -> [String] {
        let loaded = load(
            "sidecars:\n  web:\n    command: /bin/web\n    env_file: a.env\n", options: LoadOptions(),
            files: MemoryFiles(texts: ["/app/a.env": text, "/bin/web": ""]))
        guard let plan = loaded.plan else { return loaded.diagnostics.map(\.message) }
        return plan.sidecars[0].environment.map { "\($0.name)=\($0.value?.literal ?? "-")" }
    }

    @Test(arguments: [
        ("A=b", ["A=b"]),
        ("  export A = b c  \r\n\n# no\n B=2", ["A=b c", "B=2"]),
        ("A=b # comment\nB=b#c\nC=#d\nD=", ["A=b", "B=b#c", "C=", "D="]),
        ("A='x $y \\n' # c\nB=\"x\\ny\\t\\\"\\$\\q\"", ["A=x $y \\n", "B=x\ny\t\"$\\q"]),
        ("A=\"two\nlines\"\nB=1", ["A=two\nlines", "B=1"]),
        ("A=${HOME}", ["A=${HOME}"]),
        ("A='x' \t\r\nB=\"y\"\t# c\nC='z'\r", ["A=x", "B=y", "C=z"]),
        ("A=1\nA=2", ["A=2"]),
        ("\u{FEFF}A=1", ["A=1"]),
        ("export=1\nexport export=2", ["export=2"]),
    ])
    func `lines are read as documented`(text: String, expected: [String]) {
        #expect(entries(text) == expected)
    }

    @Test(arguments: [
        ("A", "/app/a.env:1:2: there is no '=' after the name"),
        ("\n1A=b", "/app/a.env:2:1: '1A' can't be a variable's name"),
        ("A='x", "/app/a.env:1:3: a quote is not closed"),
        ("a-b=c", "/app/a.env:1:1: 'a-b' can't be a variable's name"),
        ("A=\"x\u{0}\"", "/app/a.env:1:1: the value contains a NUL byte"),
        ("B=1\nA=\"x\"y", "/app/a.env:2:6: there is text after the closing quote"),
        ("A='one'two", "/app/a.env:1:8: there is text after the closing quote"),
        ("A=\"ü\" y # c\nB=1", "/app/a.env:1:7: there is text after the closing quote"),
        ("A='x\ny' 'z'", "/app/a.env:2:4: there is text after the closing quote"),
        ("A='x'#c", "/app/a.env:1:6: there is text after the closing quote"),
    ])
    func `what can't be read is said with its line`(text: String, message: String) {
        #expect(entries(text) == [message])
    }

    @Test func `bytes that are no UTF-8 are said with their line, and never replaced`() {
        var files = MemoryFiles(texts: ["/bin/web": ""])
        files.bytes["/app/a.env"] = Array("A=1\nB=x".utf8) + [0xFF] + Array("y\n".utf8)
        let loaded = load(
            "sidecars: { web: { command: /bin/web, env_file: a.env } }", options: LoadOptions(), files: files)
        #expect(loaded.report == ["1:49 env-file-syntax: /app/a.env:2:4: this byte is not UTF-8"])
    }

    @Test func `what can't be read of a dotenv that is asked is a warning at its place`() {
        func report(_ manifest: String, _ environment: String) -> [String] {
            load(
                manifest, options: LoadOptions(),
                files: MemoryFiles(texts: ["/app/.env": environment, "/bin/web": ""])
            ).diagnostics.map { "\($0.location?.file ?? ""):\($0.location?.line ?? 0) \($0.severity) \($0.rule)" }
        }
        let asks = "sidecars: { web: { command: [/bin/web, \"${A}\"] } }"
        #expect(
            report(asks, "A=1\nthis is no line\nB='x'y\n") == [
                "/app/.env:2 warning dotenv-syntax", "/app/.env:3 warning dotenv-syntax",
            ])
        #expect(report("sidecars: { web: { command: /bin/web } }", "this is no line\n") == [])
        // One that is missing may stand there.
        #expect(report(asks, "this is no line\n") == ["sidecars.yaml:1 error env-file-syntax"])
        #expect(
            report("env_file: .env\n" + asks, "A=1\nthis is no line\n") == ["sidecars.yaml:1 error env-file-syntax"])
    }
}
