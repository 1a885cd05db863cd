import ManifestLoading
import Planning
import SidecarModel
import Testing
import YAMLReading

@Suite struct LoaderTests {
    private let manifest = "sidecars: { web: { command: [/bin/web] } }\n"

    private func load(_ path: String, _ texts: [String: String], directories: Set<String> = ["/app"]) -> LoadedManifest
    {
        loadManifest(
            path: path, environment: [:], files: MemoryFiles(texts: texts, directories: directories.union(["/"])))
    }

    @Test func `the project is called after its directory, and paths start there`() throws {
        let loaded = load(
            "My Shop!/x.yaml", ["/app/My Shop!/x.yaml": manifest, "/bin/web": ""], directories: ["/app/My Shop!"])
        #expect(loaded.report == [])
        #expect(loaded.path == "/app/My Shop!/x.yaml")
        let project = try #require(loaded.plan).project
        #expect(project.name == "my-shop")
        #expect(project.directory == "/app/My Shop!")
    }

    @Test(arguments: [
        ("/a/.build/x", "/a/.build/x"), ("x", "/app/x"), ("../x", "/x"), ("./x/./y/", "/app/x/y"), ("/..", "/"),
        ("/a//b", "/a/b"), ("/a/..b/...", "/a/..b/..."), ("/", "/"), ("..", "/"), ("/a/b/..", "/a"), ("", "/app"),
    ])
    func `a path is made absolute and plain`(path: String, absolute: String) {
        #expect(absolutePath(path, from: "/app") == absolute)
    }

    @Test func `a manifest that is not there is a diagnostic`() {
        #expect(load("x.yaml", [:]).report == ["0:0 manifest-not-found: cannot read the manifest x.yaml: no such file"])
        #expect(
            load("/app", [:]).report == ["0:0 manifest-unreadable: cannot read the manifest /app: it is a directory"])
    }

    @Test func `one that is too large is refused`() {
        let text = String(repeating: "#", count: YAMLLimits.bytes + 1)
        #expect(load("x.yaml", ["/app/x.yaml": text]).diagnostics.map(\.rule) == ["yaml-too-large"])
    }

    @Test func `too many nodes are refused`() {
        let text = "x-many: [" + String(repeating: "a,", count: YAMLLimits.nodes) + "a]\n"
        #expect(load("x.yaml", ["/app/x.yaml": text]).diagnostics.map(\.rule) == ["yaml-too-many-nodes"])
    }

    @Test func `the manifest is looked for upwards`() {
        let files = MemoryFiles(texts: ["/app/sidecars.yml": "", "/sidecars.yaml": ""])
        #expect(findManifest(from: "/app/a/b", files: files) == "/app/sidecars.yml")
        #expect(findManifest(from: ".", files: files) == "/app/sidecars.yml")
        #expect(findManifest(from: "/other", files: files) == "/sidecars.yaml")
        #expect(findManifest(from: "/other", files: MemoryFiles()) == nil)
    }

    @Test(arguments: [
        "sidecars:", "sidecars: { web: { command: } }", "sidecars: { web: { shell: ~ } }",
        "sidecars: { web: { command: w, health: { http: } } }",
        "sidecars: { web: { command: w, health: { startup: { exec: null } } } }",
        "sidecars: { web: { command: w, hooks: { on_crash: { webhook: } } } }",
        "sidecars: { web: { kind: external, health: } }",
        "sidecars: { web: { command: w, ports: { http: { port: } } } }",
        "sidecars: { web: { command: w, env_file: { path: } } }",
    ])
    func `a key without a value is one problem and not two`(text: String) {
        let loaded = ManifestLoadingTests.load(text + "\n")
        #expect(loaded.diagnostics.map(\.rule) == ["missing-value"], "\(loaded.report)")
    }

    @Test func `a comment silences a warning on its line or the one below, and nothing else`() {
        func rules(_ comment: String, above: String = "# nothing") -> [String] {
            ManifestLoadingTests.load(
                "sidecars:\n  web:\n    command: ./web\n    \(above)\n    stop: { signal: SIGKILL } \(comment)\n"
            ).diagnostics.map(\.rule)
        }
        #expect(rules("") == ["stop-by-sigkill"])
        #expect(rules("# orchestrate: ignore=stop-by-sigkill") == [])
        #expect(rules("# orchestrate: ignore=other, stop-by-sigkill") == [])
        #expect(rules("", above: "# orchestrate: ignore=stop-by-sigkill") == [])
        #expect(rules("", above: "primary: true # orchestrate: ignore=stop-by-sigkill") == ["stop-by-sigkill"])
        #expect(rules("# orchestrate: ignore=other") == ["stop-by-sigkill"])
    }

    @Test func `an anchor that is there already hides no error of what it names`() {
        for (value, rule) in [("sidecars: &a text", "wrong-type"), ("sidecars:\n  web: &a [x]", "wrong-type")] {
            let loaded = ManifestLoadingTests.load("x-first: &a 1\n\(value)\n")
            #expect(loaded.diagnostics.map(\.rule) == ["yaml-duplicate-anchor", rule])
            #expect(loaded.plan == nil)
        }
    }

    @Test func `an error can't be silenced`() {
        let loaded = ManifestLoadingTests.load(
            "sidecars:\n  web:\n    command: ./web\n    replicas: x # orchestrate: ignore=invalid-number\n")
        #expect(loaded.diagnostics.map(\.rule) == ["invalid-number"])
        #expect(loaded.plan == nil)
    }

    @Test func `diagnostics are sorted by place and have their line`() {
        let loaded = ManifestLoadingTests.load("sidecars:\n  b: { command: [], replicas: x }\n  a: { colour: red }\n")
        #expect(loaded.diagnostics.map { $0.location?.line } == [2, 2, 3, 3])
        #expect(loaded.diagnostics.map(\.snippet).contains("  a: { colour: red }"))
    }

    @Test func `a range that is too small for the replicas is reported once`() {
        let loaded = ManifestLoadingTests.load(
            "sidecars:\n  a: { command: [./a], replicas: 3, ports: { a: 8080-8081, b: 9000-9100 } }\n")
        #expect(loaded.diagnostics.map(\.rule) == ["port-range-too-small"])
    }

    @Test func `an extension's key is none of ours under another name`() {
        let sidecar = ManifestLoadingTests.load("sidecars:\n  a: { x-command: [./a] }\n")
        #expect(sidecar.diagnostics.map(\.rule) == ["command-missing"])
        let top = ManifestLoadingTests.load("x-sidecars:\n  a: { command: [./a] }\n")
        #expect(top.plan == nil)
        #expect(top.diagnostics.map(\.severity) == [.error])
    }

    @Test(arguments: ["comand: [./a]", "cmd: ./a", "Shell: ./a"])
    func `a command under another name is reported once`(slip: String) {
        let loaded = ManifestLoadingTests.load("sidecars:\n  a: { \(slip) }\n")
        #expect(loaded.diagnostics.map(\.rule) == ["unknown-key"])
        #expect(loaded.diagnostics.first?.help?.hasPrefix("did you mean '") == true)
    }

    @Test func `a large manifest in which everything is wrong is answered too`() throws {
        let count = 1000
        let text = (0..<count).map { "  s\($0): { comand: x, depends_on: [s\($0)x, s\(($0 + 1) % count)] }\n" }.joined()
        let loaded = ManifestLoadingTests.load("sidecars:\n" + text)
        #expect(loaded.diagnostics.count { $0.rule == "unknown-key" } == count)
        #expect(loaded.diagnostics.count { $0.rule == "unknown-dependency" } == count)
        let cycles = loaded.diagnostics.filter { $0.rule == "dependency-cycle" }
        #expect(cycles.map(\.related.count) == [count - 1])
        #expect(cycles[0].message.utf8.count < 200)
    }

    @Test func `warnings leave the plan`() {
        let loaded = ManifestLoadingTests.load("sidecars:\n  web:\n    command: ./web\n    stop: { signal: KILL }\n")
        #expect(loaded.plan != nil)
        #expect(!loaded.hasErrors)
    }

    @Test func `what depends on the host is left out on request`() {
        let text = "sidecars:\n  web:\n    command: ./absent\n    cwd: nowhere\n    env_file: absent.env\n"
        #expect(ManifestLoadingTests.load(text, options: LoadOptions(checksHost: false)).report == [])
        #expect(
            ManifestLoadingTests.load(text, options: LoadOptions(checksHost: true)).diagnostics.map(\.rule) == [
                "command-not-found", "directory-not-found", "env-file-not-found",
            ])
    }

    @Test(arguments: [
        ("services: { a: { command: ./a } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, command: ./b } }", "duplicate-key"),
        ("sidecars: { a: { command: ./a, hooks: { on_crash: { url: x } } } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, ports: { http: { target: 80 } } } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, ports: { http: { numero: 80 } } } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, ports: { http: 80 }, health: { httpGet: / } } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, env_file: { file: x } } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, stale: { executable: /x } } }", "unknown-key"),
        ("sidecars: { a: { command: ./a, health: { log: { regex: x } } } }", "unknown-key"),
        (
            "secrets: { pg: { generate: 9 } }\nsidecars: { a: { command: a, secrets: { A: { secret: pg } } } }",
            "unknown-key"
        ),
        ("secrets: { pg: { generate: 9 } }\nsidecars: { a: { command: a, secrets: [pg] } }", "wrong-type"),
        (
            "secrets: { pg: { generate: 9 } }\nsidecars: { a: { command: a, secrets: { 1A: pg } } }",
            "invalid-variable-name"
        ),
        ("secrets: { pg: { length: 9 } }\nsidecars: { a: { command: a, secrets: { A: pg } } }", "unknown-key"),
        (
            "sidecars: { a: { command: a, replicas: 0 }, b: { command: b, depends_on: { a: { quorum: 1 } } } }",
            "quorum-exceeds-replicas"
        ),
        ("sidecars: { a: { command: &a [*a] } }", "yaml-recursive-alias"),
        ("sidecars: { a: { command: [*a] } }", "yaml-unknown-alias"),
        ("x-a: &s { <<: *s }\nsidecars: { a: { command: a } }", "yaml-recursive-alias"),
        ("x-a: &s { <<: [*s] }\nsidecars: { a: { command: a } }", "yaml-recursive-alias"),
        ("sidecars: { a: { <<: *b, command: a } }", "yaml-unknown-alias"),
        ("sidecars: { a: { command: a, ports: { p: 70000 }, health: { tcp: p } } }", "invalid-port"),
        ("sidecars: { a: { command: a, ports: { p: 70000 }, health: { http: / } } }", "invalid-port"),
        ("sidecars: { a: { command: a, ports: { p: 70000 }, health: { tcp: {} } } }", "invalid-port"),
        ("sidecars: { a: { command: a, ports: { p: 70000 }, env: { P: \"${ports.p}\" } } }", "invalid-port"),
        ("env: { P: \"${ports.p}\" }\nsidecars: { a: { command: a, ports: { p: 70000 } } }", "invalid-port"),
        (
            "sidecars: { a: { command: a, ports: { p: 7-3 } }, "
                + "b: { command: [b, \"${sidecars.a.ports.p}\"], depends_on: [a] } }", "port-range-reversed"
        ),
        ("sidecars: { a: { command: a, ports: { P: 7000 }, health: { tcp: P } } }", "invalid-port-name"),
        ("sidecars: { a: { command: a, ports: 7000, health: { http: / } } }", "wrong-type"),
        (
            "defaults: { ports: { p: 70000 } }\nsidecars: { a: { command: a, health: { tcp: p } } }", "invalid-port"
        ),
    ])
    func `one problem is one diagnostic`(text: String, rule: String) {
        let loaded = ManifestLoadingTests.load(text + "\n")
        #expect(loaded.diagnostics.map(\.rule) == [rule], "\(loaded.report)")
    }

    @Test func `a port that is declared nowhere is reported beside one that is wrong`() {
        let loaded = ManifestLoadingTests.load(
            "sidecars: { a: { command: a, ports: { p: 70000 }, health: { tcp: q } } }\n")
        #expect(loaded.diagnostics.map(\.rule).sorted() == ["invalid-port", "unknown-port"], "\(loaded.report)")
    }

    @Test func `a mapping that lacks a key beside a slip in another still says so`() {
        let loaded = ManifestLoadingTests.load(
            "sidecars: { a: { command: ./a, hooks: { on_crash: { timout: 5s } }, health: { perod: 5s } } }\n")
        #expect(
            loaded.diagnostics.map(\.rule).sorted() == [
                "hook-without-action", "probe-without-check", "unknown-key", "unknown-key",
            ])
    }
}
