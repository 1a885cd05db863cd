import ManifestLoading
import Planning
import SidecarModel
import Testing

@Suite struct DecodingTests {
    private func sidecar(_ body: String, top: String = "") throws -> SidecarSpec {
        let loaded = load("\(top)\nsidecars:\n  web:\n" + body.split(separator: "\n").map { "    \($0)\n" }.joined())
        #expect(loaded.report == [])
        return try #require(loaded.plan).sidecars[0]
    }

    @Test func `everything has its default`() throws {
        let web = try sidecar("command: ./web")
        var expected = SidecarSpec(name: "web", program: .command([Template("./web")]))
        expected.workingDirectory = Template("/app")
        expected.canonicalDirectory = "/app"
        expected.fingerprints = web.fingerprints
        #expect(web == expected)
        #expect(web.fingerprints.map(\.key) == ["command", "cwd"])
    }

    @Test func `a tag of the core schema decides how a value is read`() throws {
        let web = try sidecar(
            "command: ./web\nreplicas: !!int \"2\"\nprimary: !!bool 'true'\nrestart: { factor: !!float \"1.5\" }")
        #expect(web.replicas == 2)
        #expect(web.primary)
        #expect(web.restart.factor == 1.5)
        let loaded = load(
            """
            sidecars:
              web: { command: ./web, replicas: !!str 2, primary: !!bool "yes" }
              api: { command: ./api, replicas: !!int null, primary: "true" }
            """)
        #expect(
            loaded.report == [
                "2:36 wrong-type: 'replicas' takes a whole number, and this is text by its tag",
                "2:54 invalid-boolean: 'primary' takes true or false, not 'yes'",
                "3:36 invalid-number: 'replicas' takes a whole number, not 'null'",
                "3:57 wrong-type: 'primary' takes true or false, and this is quoted text",
            ])
    }

    @Test func `an external sidecar accepts an answer from anyone`() throws {
        let db = try sidecar("kind: external\nhealth: { tcp: { host: 10.0.0.1, port: 5432 } }")
        #expect(db.program == nil)
        #expect(db.health.readiness?.owner == .any)
        #expect(db.health.readiness?.check == .tcp(port: .number(5432), host: Template("10.0.0.1")))
    }

    @Test func `values of env are the text as written`() throws {
        let web = try sidecar(
            """
            command: ./web
            env: { MODE: 0644, ON: on, YES: yes, N: 1_000, F: 1.0, NULL_: null, TILDE: ~, EMPTY: "", Q: "null", B: true }
            """)
        let expected: [(String, String?)] = [
            ("MODE", "0644"), ("ON", "on"), ("YES", "yes"), ("N", "1_000"), ("F", "1.0"), ("NULL_", nil),
            ("TILDE", nil),
            ("EMPTY", ""), ("Q", "null"), ("B", "true"),
        ]
        #expect(web.environment == expected.map { EnvironmentEntry(name: $0.0, value: $0.1.map { Template($0) }) })
    }

    @Test func `layers of the environment win in their order, in order of first mention`() throws {
        let files = MemoryFiles(
            texts: [
                "/app/top.env": "A=topfile\nB=topfile\nC=topfile\nD=topfile\n",
                "/app/own.env": "C=ownfile\nD=ownfile\n",
                "/bin/web": "",
            ])
        let loaded = load(
            """
            env_file: top.env
            env: { B: top, C: top, D: top }
            sidecars:
              web:
                command: /bin/web
                env_file: [own.env, { path: absent.env, required: false }]
                env: { D: own, E: own }
            """, options: LoadOptions(checksHost: true), files: files)
        #expect(loaded.report == [])
        let web = try #require(loaded.plan).sidecars[0]
        #expect(
            web.environment.map { "\($0.name)=\($0.value?.literal ?? "-")" } == [
                "A=topfile", "B=top", "C=ownfile", "D=own", "E=own",
            ])
    }

    @Test func `defaults lie beneath: mappings by key, lists and checks as a whole`() throws {
        let web = try sidecar(
            """
            command: ./web
            env: { B: own }
            restart: { max_delay: 9s }
            stop: { steps: [{ signal: SIGHUP, wait: 1s }] }
            health: { readiness: { tcp: http }, liveness: { period: 7s } }
            ports: { http: { bind: 0.0.0.0 } }
            """,
            top: """
                defaults:
                  env: { A: def, B: def }
                  restart: { policy: on-failure, delay: 3s }
                  stop: { steps: [{ signal: SIGINT, wait: 2s }, { signal: SIGTERM, wait: 3s }] }
                  ports: { http: 8080-8090 }
                  health:
                    readiness: { http: /ready, period: 3s }
                    liveness: { http: /live }
                """)
        #expect(web.environment.map(\.value?.literal) == ["def", "own"])
        #expect(web.restart.policy == .onFailure)
        #expect(web.restart.delay == .seconds(3))
        #expect(web.restart.maxDelay == .seconds(9))
        #expect(web.stop.steps == [StopSpec.Step(signal: .hangup, wait: .seconds(1))])
        #expect(web.health.readiness?.check == .tcp(port: .named("http"), host: nil))
        #expect(web.health.readiness?.period == .seconds(3))
        #expect(web.health.liveness?.check == .http(Probe.HTTP(path: Template("/live"), port: .named("http"))))
        #expect(web.health.liveness?.period == .seconds(7))
        #expect(web.ports == [PortSpec(name: "http", wanted: .range(8080, 8090), bind: "0.0.0.0", strict: false)])
    }

    @Test func `merge keys and aliases share what is written once`() throws {
        let loaded = load(
            """
            x-common: &common { replicas: 2, stop: { grace: 3s } }
            sidecars:
              a: { <<: *common, command: [./a], replicas: 3 }
              b:
                <<: [*common, { primary: true, replicas: 9 }]
                command: [./b]
            """)
        #expect(loaded.report == [])
        let plan = try #require(loaded.plan)
        #expect(plan.sidecars.map(\.replicas) == [3, 2])
        #expect(plan.sidecars.map(\.stop.grace) == [.seconds(3), .seconds(3)])
        #expect(plan.sidecars.map(\.primary) == [false, true])
    }

    @Test(arguments: [
        ("http: /health", Probe.Check.http(Probe.HTTP(path: Template("/health"), port: .named("http")))),
        (
            "http: { path: /h, port: 81, host: localhost, method: head, headers: { X-A: b }, status: 204, body: \"^ok\" }",
            .http(
                Probe.HTTP(
                    path: Template("/h"), port: .number(81), host: Template("localhost"), method: "HEAD",
                    headers: [Probe.HTTP.Header(name: "X-A", value: Template("b"))], status: 204...204, body: "^ok"))
        ),
        ("tcp: http", .tcp(port: .named("http"), host: nil)),
        ("tcp: \"${ports.http}\"", .tcp(port: .named("http"), host: nil)),
        ("tcp: {}", .tcp(port: .named("http"), host: nil)),
        ("exec: pg_isready -q", .exec([Template("pg_isready"), Template("-q")])),
        ("unix: run/a.sock", .unix(path: Template("/app/run/a.sock"))),
        ("file: /run/ready", .file(path: Template("/run/ready"), maxAge: nil)),
        ("file: { path: ready, max_age: 5s }", .file(path: Template("/app/ready"), maxAge: .seconds(5))),
        ("log: \"ready on [0-9]+\"", .log(pattern: "ready on [0-9]+", stream: .any)),
        ("log: { pattern: up, stream: stderr }", .log(pattern: "up", stream: .stderr)),
        ("notify: true", .notify),
    ])
    func `every check has its forms`(text: String, check: Probe.Check) throws {
        let web = try sidecar("command: ./web\nports: { http: 8080 }\nhealth: { \(text), success_threshold: 2 }")
        #expect(web.health.readiness?.check == check)
        #expect(web.health.readiness?.successThreshold == 2)
        #expect(web.health.startup == nil)
    }

    @Test func `the implied condition follows the target`() throws {
        let loaded = load(
            """
            sidecars:
              task: { command: [./t], kind: task }
              probed: { command: [./p], health: { notify: true } }
              plain: { command: [./n] }
              web:
                command: [./web]
                depends_on: { task: , probed: { required: false }, plain: { quorum: 1 } }
              list: { command: [./l], depends_on: [plain, task, probed] }
              optional: { command: [./o], depends_on: { absent: { required: false } } }
            """)
        #expect(loaded.report == [])
        let plan = try #require(loaded.plan)
        #expect(plan.sidecars[3].dependencies.map(\.condition) == [.succeeded, .healthy, .started])
        #expect(plan.sidecars[3].dependencies.map(\.required) == [true, false, true])
        #expect(plan.sidecars[4].dependencies.map(\.condition) == [.started, .succeeded, .healthy])
        #expect(plan.edges[5] == [])
    }

    @Test(arguments: [
        ("0", Duration.zero), ("00", .zero), ("0.0", .zero), ("250ms", .milliseconds(250)), ("1m30s", .seconds(90)),
        ("2h", .seconds(7200)),
        ("7d", .seconds(604_800)), ("1.5s", .milliseconds(1500)), ("1d1h1m1s1ms", .milliseconds(90_061_001)),
    ])
    func `durations have units`(text: String, duration: Duration) throws {
        #expect(try sidecar("command: ./web\nstop: { grace: \(text) }").stop.grace == duration)
        #expect(Duration.milliseconds(90_061_001).spelling == "1d1h1m1s1ms")
    }

    @Test(arguments: ["30s1m", "1h1h", "1ms1s", "1d1m1h", "0s0s"])
    func `the units of a duration stand once each, the largest first`(text: String) {
        let loaded = load("sidecars: { web: { command: ./web, stop: { grace: \(text) } } }")
        #expect(
            loaded.report == [
                "1:51 invalid-duration: '\(text)' is no duration: each unit stands once, the largest first"
            ])
    }

    @Test(arguments: ["", "s", "5", "5x", "-5s", "5s ", "1..5s", "5 s", "1e3s", "9999999999d", "5sm"])
    func `what is no duration is said to be none`(text: String) {
        let loaded = load("sidecars:\n  web:\n    command: ./web\n    stop: { grace: \"\(text)\" }\n")
        #expect(loaded.plan == nil)
        #expect(loaded.diagnostics.count == 1)
    }

    @Test(arguments: [
        ("SIGTERM", 15), ("term", 15), ("15", 15), ("SIGIOT", 6), ("IOT", 6), ("SIGPOLL", 29), ("SIGCLD", 17),
        ("SIGRTMIN", 34), ("rtmin", 34), ("SIGRTMIN+1", 35), ("RTMIN+30", 64), ("SIGRTMAX", 64), ("SIGRTMAX-1", 63),
        ("SIGRTMAX-30", 34), ("34", 34), ("64", 64),
    ])
    func `signals have the names of kill -l`(text: String, number: Int32) throws {
        #expect(try sidecar("command: ./web\nstop: { signal: \(text) }").stop.signal == Signal(number: number))
    }

    @Test(arguments: [
        "SIG", "SIGRT", "32", "33", "65", "0", "SIGRTMIN-1", "SIGRTMIN+31", "SIGRTMIN+", "SIGRTMIN+-1", "SIGRTMAX+1",
        "SIGRTMAX-31", "SIGRTMIN1",
    ])
    func `what is no signal is said to be none`(text: String) {
        let loaded = load("sidecars: { web: { command: ./web, stop: { signal: \(text) } } }")
        #expect(loaded.report == ["1:52 invalid-signal: '\(text)' is no signal"])
    }

    @Test(arguments: [("10MiB", Int64(10 << 20)), ("1GB", 1_000_000_000), ("512KiB", 524_288), ("8192B", 8192)])
    func `sizes have units`(text: String, bytes: Int64) throws {
        #expect(try sidecar("command: ./web\nlogs: { max_size: \(text) }").logs.maxSize == ByteCount(bytes: bytes))
    }

    @Test func `ports have a short and a long form`() throws {
        let web = try sidecar(
            """
            command: ./web
            ports:
              a: 8080
              b: 8081-8090
              c: auto
              d: { port: 9000, bind: "::1", env: LISTEN, strict: false, protocol: udp }
            """)
        #expect(
            web.ports == [
                PortSpec(name: "a", wanted: .number(8080)), PortSpec(name: "b", wanted: .range(8081, 8090)),
                PortSpec(name: "c", wanted: .automatic),
                PortSpec(
                    name: "d", wanted: .number(9000), bind: "::1", environmentVariable: "LISTEN", strict: false,
                    transport: .udp),
            ])
        #expect(web.ports.map(\.strict) == [true, false, false, false])
    }

    @Test(arguments: [
        (".", "/app"), ("a/b", "/app/a/b"), ("../x/./y/", "/x/y"), ("/abs", "/abs"), ("../../../..", "/"),
    ])
    func `paths start at the manifest's directory`(text: String, path: String) throws {
        #expect(try sidecar("command: ./web\ncwd: \(text)").workingDirectory == Template(path))
    }

    @Test func `project keys reach the project`() throws {
        let loaded = load(
            """
            id: com.example.app
            start: { max_parallel: 4 }
            supervisor: { on_exit: stop }
            sidecars: { web: { command: ./web } }
            """)
        var expected = ProjectSpec(
            name: "app", id: "com.example.app", directory: "/app", maxParallelStarts: 4, onSupervisorExit: .stop)
        expected.canonicalDirectory = "/app"
        #expect(loaded.plan?.project == expected)
    }

    @Test(arguments: [
        ("steps: [{ signal: SIGINT, wait: 1s }]", "signal: SIGQUIT", ["SIGQUIT 10.0 seconds"]),
        ("steps: [{ signal: SIGINT, wait: 1s }]", "grace: 3s", ["SIGTERM 3.0 seconds"]),
        ("steps: [{ signal: SIGINT, wait: 1s }]", "target: group", ["SIGINT 1.0 seconds"]),
        ("signal: SIGQUIT, grace: 3s", "steps: [{ signal: SIGINT, wait: 1s }]", ["SIGINT 1.0 seconds"]),
        ("signal: SIGQUIT, grace: 3s", "grace: 4s", ["SIGQUIT 4.0 seconds"]),
    ])
    func `how a sidecar is stopped replaces the other way, from the defaults`(
        defaults: String, own: String, sequence: [String]
    ) throws {
        let loaded = load(
            "defaults: { stop: { \(defaults) } }\nsidecars: { web: { command: ./w, stop: { \(own) } } }")
        #expect(loaded.report == [])
        let stop = try #require(loaded.plan?.sidecars.first?.stop)
        #expect(stop.sequence.map { "\($0.signal) \($0.wait)" } == sequence)
    }
}
