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
        ("A=1\nA=2", ["A=2"]),
        ("\u{FEFF}A=1", ["A=1"]),
        ("export=1\nexport export=2", ["export=2"]),
    ])
    func `lines are read as documented`(text: String, expected: [String]) {
        #expect(entries(text) == expected)
    }

    @Test(arguments: [
        ("A", "/app/a.env:1: there is no '=' after the name"),
        ("\n1A=b", "/app/a.env:2: '1A' can't be a variable's name"),
        ("A='x", "/app/a.env:1: a quote is not closed"), ("a-b=c", "/app/a.env:1: 'a-b' can't be a variable's name"),
        ("A=\"x\u{0}\"", "/app/a.env:1: the value contains a NUL byte"),
    ])
    func `what can't be read is said with its line`(text: String, message: String) {
        #expect(entries(text) == [message])
    }
}
