import ManifestLoading
import SidecarModel
import Testing

@Suite struct ShellWithoutExecTests {
    private func rules(_ script: String) -> [String] {
        let lines = script.split(separator: "\n", omittingEmptySubsequences: false).map { "      \($0)\n" }.joined()
        return load("sidecars:\n  web:\n    shell: |\n\(lines)").diagnostics.map(\.rule)
    }

    @Test(arguments: [
        "./build && ./web", "./build; ./web --port 1", "cd /srv\n./web\n# that is all\n", "./build && A=b ./web",
        "cd /srv && ./web >log 2>&1", "./build && waitress-serve", "if ./new; then ./build; fi; ./web",
        "echo 'exec me; exec' && ./web", "./build && \\\n  ./web",
    ])
    func `a program at the end could take the shell's place`(script: String) {
        #expect(rules(script) == ["shell-without-exec"])
    }

    @Test(arguments: [
        "./build && exec ./web", "./build; A=b exec ./web", "exec ./web \\\n  --port 1", "./web 2>&1",
        "exec ./web >log 2>&1", "exec ./web # first; then", "./web &", "./a & ./b & wait", "./web; exit 3", "./web; :",
        "while :; do ./web; done", "until ./web; do sleep 1; done", "for i in 1 2; do ./web; done",
        "if ./new; then ./web; fi", "case $A in\n  a) ./a ;;\nesac", "run() { ./web; }", "(cd /srv; ./web)",
        "./web || { ./report; }", "./web; A=b", "./web; [ -e x ]", "./web\nwait $!",
    ])
    func `nothing is advised where exec has no place`(script: String) {
        #expect(rules(script) == [])
    }
}
