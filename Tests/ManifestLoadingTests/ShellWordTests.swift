import ManifestLoading
import Planning
import SidecarModel
import Testing

@Suite struct ShellWordTests {
    @Test(arguments: [
        ("./web -a  b\tc", ["./web", "-a", "b", "c"]),
        ("./web 'a b' \"c d\" e\\ f", ["./web", "a b", "c d", "e f"]),
        ("./web '' \"\"", ["./web", "", ""]),
        ("./web a'b'\"c\"d", ["./web", "abcd"]),
        ("./web \"a\\\"b\\\\c\\d\"", ["./web", "a\"b\\c\\d"]),
        ("./web '$$' \"$$\" \\$", ["./web", "$$", "$", "$"]),
        ("./web * ~ $HOME", ["./web", "*", "~", "$HOME"]),
        ("./web ${A:-x y} pre${A:-x y}post", ["./web", "x y", "prex ypost"]),
    ])
    func `a command in one text is split as a shell does it`(text: String, words: [String]) throws {
        let loaded = load("sidecars:\n  web:\n    command: |-\n      \(text)\n")
        #expect(loaded.report == [])
        #expect(try #require(loaded.plan).sidecars[0].program == .command(words.map { Template($0) }))
    }

    @Test(arguments: [
        ("sidecars: { w: { command: a && b } }", "use 'shell:' instead of 'command:'"),
        ("sidecars: { w: { command: a, hooks: { on_crash: { exec: a | b } } } }", "use 'shell:' instead of 'exec:'"),
        ("sidecars: { w: { command: a, health: { exec: a | b } } }", "write [sh, -c, \"…\"]"),
        (
            "secrets: { s: { command: a | b } }\nsidecars: { w: { command: a, secrets: { S: s } } }",
            "write [sh, -c, \"…\"]"
        ),
    ])
    func `where no shell reads it, the way out is one that is there`(text: String, help: String) {
        let diagnostics = load(text).diagnostics
        #expect(diagnostics.map(\.rule) == ["shell-operator-in-command"])
        #expect(diagnostics.first?.help?.hasPrefix(help) == true)
    }
}
