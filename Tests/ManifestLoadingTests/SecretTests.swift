import ManifestLoading
import Planning
import SidecarModel
import Testing

/// Secrets, users and limits as they are read.
@Suite struct SecretTests {
    private func plan(_ text: String, environment: [String: String] = [:]) throws -> Plan {
        let loaded = load(text, environment: environment)
        #expect(loaded.report == [])
        return try #require(loaded.plan)
    }

    @Test func `secrets are read by source, and no value comes into the plan`() throws {
        let plan = try plan(
            """
            secrets:
              file: { file: keys/a.pem }
              env: { env: TOKEN }
              command: { command: pass show "my key" }
              generate: { generate: 24 }
            defaults: { secrets: { F: file } }
            sidecars:
              web:
                command: ./web
                secrets: { T: env, C: command, G: { from: generate, as: file } }
              api: { command: ./api, secrets: { F: { from: file, as: file } } }
            """, environment: ["TOKEN": "s3cret"])
        #expect(
            plan.project.secrets == [
                SecretSpec(name: "file", source: .file("/app/keys/a.pem")),
                SecretSpec(name: "env", source: .environment("TOKEN")),
                SecretSpec(name: "command", source: .command(["pass", "show", "my key"])),
                SecretSpec(name: "generate", source: .generated(24)),
            ])
        #expect(
            plan.sidecars[0].secrets == [
                SecretUse(variable: "F", secret: "file"), SecretUse(variable: "T", secret: "env"),
                SecretUse(variable: "C", secret: "command"),
                SecretUse(variable: "G", secret: "generate", form: .file),
            ])
        #expect(plan.sidecars[1].secrets == [SecretUse(variable: "F", secret: "file", form: .file)])
        #expect(!"\(plan)".contains("s3cret"))
    }

    @Test func `users and limits are read`() throws {
        let plan = try plan(
            """
            defaults: { ulimits: { core: 0, nofile: 10 } }
            sidecars:
              web:
                command: ./web
                user: 1000
                group: www-data
                umask: "0027"
                nice: -5
                no_new_privileges: true
                ulimits: { nofile: { soft: 1024, hard: unlimited }, memlock: 64MiB, nproc: unlimited, cpu: { hard: 9 } }
                resources: { memory: 1GiB, cpu: 0.5, pids: 100 }
                stale: { exe: /usr/bin/web }
            """)
        let privileges = plan.sidecars[0].privileges
        #expect(privileges.user == "1000")
        #expect(privileges.group == "www-data")
        #expect(privileges.umask == 0o027)
        #expect(privileges.nice == -5)
        #expect(privileges.gainsNoPrivileges)
        #expect(
            privileges.limits == [
                LimitSpec(.core, soft: 0, hard: 0), LimitSpec(.openFiles, soft: 1024, hard: LimitSpec.unlimited),
                LimitSpec(.lockedMemory, soft: 64 << 20, hard: 64 << 20),
                LimitSpec(.processes, soft: LimitSpec.unlimited, hard: LimitSpec.unlimited),
                LimitSpec(.cpu, soft: nil, hard: 9),
            ])
        #expect(
            privileges.resources == ResourceSpec(memory: ByteCount(bytes: 1 << 30), cpu: 0.5, processes: 100))
        #expect(privileges.staleExecutable == "/usr/bin/web")
    }

    @Test(arguments: [
        ("    secrets: { A: x }\n", "secrets"), ("    user: nobody\n", "user"), ("    group: daemon\n", "group"),
        ("    umask: \"0077\"\n", "umask"), ("    nice: 1\n", "nice"),
        ("    no_new_privileges: true\n", "no_new_privileges"), ("    ulimits: { core: 0 }\n", "ulimits"),
    ])
    func `a change of whom it runs as restarts it`(body: String, key: String) throws {
        #expect(try action("", body) == .restart(changed: [key]))
    }

    @Test func `limits of the whole and what is stale change in place`() throws {
        #expect(try action("", "    resources: { pids: 10 }\n") == .updateInPlace(changed: ["resources"]))
        #expect(try action("", "    stale: { exe: /bin/x }\n") == .updateInPlace(changed: ["stale"]))
    }

    @Test func `a secret whose value changed is a change of the sidecar`() throws {
        let one = try plan("secrets: { x: { generate: 9 } }\nsidecars: { web: { command: ./w, secrets: { A: x } } }")
        var sidecar = one.sidecars[0]
        sidecar.secrets[0].revision += 1
        sidecar.fingerprints = sidecar.makeFingerprints(from: one.project.blankHasher)
        let other = try Plan(project: one.project, sidecars: [sidecar])
        #expect(PlanDifference(from: one, to: other).entries[0].action == .restart(changed: ["secrets"]))
    }

    private func action(_ before: String, _ after: String) throws -> PlanDifference.Action {
        let start = "sidecars:\n  other: { command: ./o, secrets: { O: x } }\n  web:\n    command: ./web\n"
        let text = "secrets: { x: { generate: 9 } }\n" + start
        return PlanDifference(from: try plan(text + before), to: try plan(text + after)).entries[1].action
    }

    @Test(arguments: [
        ("mem_limit", "resources.memory"), ("cpus", "resources.cpu"), ("pids_limit", "resources.pids"),
        ("runAsUser", "user"), ("User", "user"), ("LimitNOFILE", "ulimits.nofile"), ("rlimits", "ulimits"),
        ("NoNewPrivileges", "no_new_privileges"), ("secret", "secrets"), ("LoadCredential", "secrets"),
        ("usr", "user"), ("umsk", "umask"), ("ulimit", "ulimits"), ("resource", "resources"),
    ])
    func `the names others have for it lead here`(foreign: String, own: String) {
        let loaded = load("sidecars: { web: { command: ./w, \(foreign): 5 } }")
        #expect(loaded.diagnostics.map(\.rule) == ["unknown-key"])
        #expect(loaded.diagnostics.first?.help == "did you mean '\(own)'?")
    }

    @Test func `what a message says of a wrong secret is not the secret`() {
        let loaded = load("secrets: { x: hunter22 }\nsidecars: { web: { command: ./w, secrets: { A: x } } }")
        #expect(loaded.diagnostics.map(\.rule) == ["wrong-type"])
        for diagnostic in loaded.diagnostics {
            #expect(!diagnostic.message.contains("hunter22"))
            #expect(!(diagnostic.help ?? "").contains("hunter22"))
        }
    }

    @Test(arguments: [
        "ports: { h: \"${S}\" }", "ports: { h: { port: 8080, env: \"${S}\" } }", "command: [\"/bin/${S}\"]",
        "command: \"./${S} ${S}\"", "env_file: \"${S}\"", "env_file: [{ path: \"x/${S}\" }]", "cwd: \"${S}/x\"",
        "hooks: { pre_start: { webhook: \"ftp://${S}\" } }", "health: { log: \"(${S}\" }", "user: \"${S} x\"",
        "health: { http: { path: \"${S}\", port: 80 } }", "health: { tcp: { host: \"/${S}\", port: 80 } }",
        "kind: \"${S}\"", "replicas: \"${S}\"", "restart: \"${S}\"", "depends_on: [\"${S}\"]", "umask: \"${S}\"",
        "ulimits: { core: \"${S}\" }", "logs: { dir: \"/bin/w/${S}\" }", "logs: { max_size: \"${S}\" }",
        "stop: { signal: \"${S}\" }", "start: { timeout: \"${S}\" }", "stale: { exe: \"${S}\" }",
        "health: { tcp: \"${S}\" }", "secrets: { B: \"${S}\" }", "env: { PATH: \"/${S}\" }, command: none",
        "command: [\"/bin/${X:-${S}}\"]",
    ])
    func `no message shows the value of a secret's variable`(key: String) {
        let own = key.contains("command") ? key : "command: /bin/w, " + key
        for secrets in [("secrets: { x: { env: S } }\n", ""), ("", "\nsecrets: { x: { env: \"${NAME}\" } }")] {
            let loaded = load(
                secrets.0 + "sidecars: { web: { \(own) }, api: { command: /bin/w, secrets: { A: x } } }" + secrets.1,
                environment: ["S": "TopSecret", "NAME": "S"], options: LoadOptions(),
                files: MemoryFiles(texts: ["/bin/w": ""]))
            #expect(Set(loaded.diagnostics.map(\.rule)) == ["secret-interpolated"])
            #expect(loaded.plan == nil)
            #expect(!"\(loaded)".lowercased().contains("topsecret"))
        }
    }

    @Test(arguments: ["name", "id", "version"])
    func `no message about the project shows the value of a secret's variable`(key: String) {
        let loaded = load(
            """
            \(key): "${S} !"
            env: { A: "${S}" }
            secrets: { x: { env: S }, y: { file: "/none/${S}" }, z: { command: ["/none/${S}"] }, "y ": { env: "${S}" } }
            sidecars: { web: { command: /bin/w, secrets: { A: x, Y: y, Z: z } } }
            """, environment: ["S": "TopSecret"], options: LoadOptions(), files: MemoryFiles(texts: ["/bin/w": ""]))
        #expect(loaded.diagnostics.contains { $0.rule == "secret-interpolated" })
        #expect(!"\(loaded)".lowercased().contains("topsecret"))
    }

    @Test func `what a secret comes from is not read from an env_file`() throws {
        let files = MemoryFiles(texts: [
            "/app/.env": "API_TOKEN=s3cret\nA=1\n", "/bin/w": "", "/app/own.env": "API_TOKEN=other\nB=2\n",
        ])
        let loaded = load(
            """
            env_file: .env
            secrets: { api: { env: API_TOKEN } }
            sidecars:
              web: { command: /bin/w, env_file: own.env }
              api: { command: /bin/w, secrets: { API_TOKEN: api } }
            """, options: LoadOptions(), files: files)
        #expect(loaded.report == [])
        let plan = try #require(loaded.plan)
        #expect(plan.sidecars[0].environment.map(\.name) == ["A", "B"])
        #expect(plan.sidecars[1].environment.map(\.name) == ["A"])
        #expect(plan.sidecars[1].secrets == [SecretUse(variable: "API_TOKEN", secret: "api")])
    }

    @Test func `the directory of secrets that are files is no variable for anything else`() {
        func rules(_ sidecar: String) -> [String] {
            load(
                "secrets: { p: { generate: 9 }, q: { generate: 9 } }\n"
                    + "sidecars: { w: { command: ./w, \(sidecar) }, u: { command: ./w, secrets: { P: p, Q: q } } }"
            ).report
        }
        #expect(
            rules("secrets: { CREDENTIALS_DIRECTORY: p, F: { from: q, as: file } }") == [
                "2:66 secret-variable-clash: 'CREDENTIALS_DIRECTORY' carries the directory of the secrets that are files, "
                    + "and can't carry the secret 'p' too"
            ])
        #expect(
            rules("env: { CREDENTIALS_DIRECTORY: /x }, secrets: { F: { from: q, as: file } }") == [
                "2:62 secret-variable-clash: 'CREDENTIALS_DIRECTORY' carries the directory of the secrets that are files, "
                    + "and can't carry another value"
            ])
        #expect(rules("secrets: { CREDENTIALS_DIRECTORY: p, F: q }") == [])
    }
}
