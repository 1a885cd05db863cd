import ManifestLoading
import Planning
import SidecarModel
import Testing

@Suite struct FingerprintTests {
    private func plan(_ body: String) throws -> Plan {
        try #require(load("sidecars:\n  web:\n    command: ./web\n" + body).plan)
    }

    private func action(_ before: String, _ after: String) throws -> PlanDifference.Action {
        PlanDifference(from: try plan(before), to: try plan(after)).entries[0].action
    }

    /// They are stored: a change here restarts the sidecars of everyone who upgrades.
    @Test func `fingerprints are the same in every run and version`() throws {
        let loaded = load(
            """
            sidecars:
              web:
                command: ./web --port ${ports.http}
                env: { B: two, A: "1" }
                ports: { http: 8080-8090 }
                health: { http: /health }
            """)
        let parts = try #require(loaded.plan).sidecars[0].fingerprints
        #expect(parts.map(\.key) == ["command", "cwd", "env", "ports", "health"])
        #expect(parts.map(\.onChange) == [.restart, .restart, .restart, .restart, .inPlace])
        #expect(
            parts.map(\.value) == [
                232_828_101_222_460_386, 13_029_177_558_571_341_728, 10_755_805_992_018_409_258,
                890_085_592_930_127_077,
                4_073_820_167_966_653_249,
            ])
    }

    @Test func `what means the same has the same fingerprints`() throws {
        #expect(
            try action(
                "    env: { A: x, B: y }\n    stop: { grace: 10s }\n    ports: { a: 1024, b: 1025 }\n",
                "    ports: { b: { port: 1025 }, a: 1024-1024 }\n    env:\n      B: y\n      A: 'x'\n") == .unchanged)
    }

    @Test(arguments: [
        ("", "    env: { A: x }\n", "env"), ("", "    ports: { a: auto }\n", "ports"), ("", "    cwd: x\n", "cwd"),
        ("    clear_env: false\n", "    clear_env: true\n", "clear_env"), ("", "    kind: task\n", "kind"),
        ("    env: { A: null }\n", "    env: { A: \"\" }\n", "env"),
        ("    env: { A: ab, B: c }\n", "    env: { A: a, B: bc }\n", "env"),
    ])
    func `a change of what the process sees restarts it`(before: String, after: String, key: String) throws {
        guard case .restart(let changed) = try action(before, after) else {
            Issue.record("no restart")
            return
        }
        #expect(changed.contains(key))
    }

    @Test(arguments: [
        ("    restart: never\n", "restart"), ("    stop: { grace: 1s }\n", "stop"),
        ("    start: { settle: 2s }\n", "start"),
        ("    logs: { max_files: 2 }\n", "logs"), ("    primary: true\n", "primary"),
        ("    health: { notify: true }\n", "health"), ("    hooks: { on_crash: { exec: ./n } }\n", "hooks"),
    ])
    func `a change of how it is watched is made in place`(after: String, key: String) throws {
        #expect(try action("", after) == .updateInPlace(changed: [key]))
    }

    @Test func `a description is nothing, and replicas are scaled`() throws {
        #expect(try action("", "    description: hello\n") == .unchanged)
        #expect(try action("", "    replicas: 3\n") == .scale(from: 1, to: 3))
    }

    @Test func `a reference to the project counts by what it stands for`() throws {
        func load(_ name: String, in directory: String, links: [String: String] = [:]) throws -> Plan {
            let text = """
                name: \(name)
                sidecars:
                  web: { command: ["${project.dir}/web"], cwd: / }
                  api: { command: ./api, cwd: /, env: { OF: "${project.name}" } }
                """
            let files = MemoryFiles(directories: ["/", "/v1", "/v2", "/current"], links: links)
            let loaded = loadManifest(
                text: Array(text.utf8), file: "sidecars.yaml", directory: directory, environment: [:],
                options: LoadOptions(checksHost: false), files: files)
            return try #require(loaded.plan)
        }
        func actions(_ old: Plan, _ new: Plan) -> [PlanDifference.Action] {
            PlanDifference(from: old, to: new).entries.map(\.action)
        }
        let first = try load("shop", in: "/v1")
        #expect(actions(first, try load("shop", in: "/v2")) == [.restart(changed: ["command"]), .unchanged])
        #expect(actions(first, try load("store", in: "/v1")) == [.unchanged, .restart(changed: ["env"])])
        let linked = try load("shop", in: "/current", links: ["/current": "/v1"])
        #expect(actions(first, linked) == [.unchanged, .unchanged])
        let moved = try load("shop", in: "/current", links: ["/current": "/v2"])
        #expect(actions(linked, moved) == [.restart(changed: ["command"]), .unchanged])
    }

    @Test func `the contents of an environment file count`() throws {
        let text = "sidecars:\n  web:\n    command: /bin/web\n    env_file: a.env\n"
        func load(_ contents: String) throws -> Plan {
            try #require(
                ManifestLoadingTests.load(
                    text, options: LoadOptions(), files: MemoryFiles(texts: ["/app/a.env": contents, "/bin/web": ""])
                ).plan)
        }
        let difference = PlanDifference(from: try load("A=1"), to: try load("A=2"))
        #expect(difference.entries[0].action == .restart(changed: ["env"]))
    }
}
