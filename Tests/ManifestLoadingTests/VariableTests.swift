import ManifestLoading
import Planning
import SidecarModel
import Testing

@Suite struct VariableTests {
    /// The value of one variable of one sidecar.
    private func value(
        _ text: String, environment: [String: String] = ["NAME": "shop", "EMPTY": ""],
        files: MemoryFiles = MemoryFiles(),
        options: LoadOptions = LoadOptions()
    ) -> Template? {
        var files = files
        files.texts["/bin/web"] = ""
        let loaded = load(
            "sidecars:\n  web:\n    command: [/bin/web]\n    ports: { http: 8080 }\n    env:\n      A: \(text)\n",
            environment: environment, options: options, files: files)
        return loaded.plan?.sidecars[0].environment.first { $0.name == "A" }?.value
    }

    @Test(arguments: [
        ("a-${NAME}-z", "a-shop-z"),
        ("${NAME:-other}", "shop"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", ""),
        ("${MISSING:-}", ""),
        ("${MISSING:-a b}", "a b"),
        ("${MISSING:-${NAME}-x}", "shop-x"),
        ("${MISSING:-${ALSO:-deep}}", "deep"),
        ("$NAME and $$", "$NAME and $"),
        ("$${NAME}", "${NAME}"),
        ("100%$", "100%$"),
        ("'it''s ${NAME}'", "it's shop"),
    ])
    func `variables are replaced`(text: String, expected: String) {
        #expect(value(text) == Template(expected))
    }

    @Test func `what a variable holds is not looked into again`() {
        #expect(value("${NAME}", environment: ["NAME": "${ports.http} $$ ${X}"]) == Template("${ports.http} $$ ${X}"))
    }

    @Test func `a value never changes the shape of the document or of the command`() throws {
        let loaded = load(
            "sidecars:\n  web:\n    command: ./web ${OPTIONS} \"${OPTIONS}\" '${OPTIONS}' ${MISSING:-a b}\n",
            environment: ["OPTIONS": "--a --b: [c]"])
        let plan = try #require(loaded.plan)
        #expect(
            plan.sidecars[0].program
                == .command(["./web", "--a --b: [c]", "--a --b: [c]", "${OPTIONS}", "a b"].map { Template($0) }))
    }

    @Test func `the client's environment wins over the .env beside the manifest, and env is never looked at`() {
        let files = MemoryFiles(texts: ["/app/.env": "NAME=file\nFROM_FILE=yes\n"])
        #expect(value("${NAME}-${FROM_FILE}", files: files) == Template("shop-yes"))
        #expect(value("${A:-none}", files: files) == Template("none"))
    }

    private func report(_ text: String, dotEnvironment: String?, environment: [String: String] = [:]) -> [String] {
        var files = MemoryFiles(texts: ["/bin/web": ""])
        if let dotEnvironment {
            files.texts["/app/.env"] = dotEnvironment
        } else {
            files.unreadable.insert("/app/.env")
        }
        return load(text, environment: environment, options: LoadOptions(), files: files).report
    }

    @Test func `a .env that can't be read is reported once, where it is needed, and not as variables that are not set`()
    {
        let text = "sidecars:\n  web:\n    command: [/bin/web, \"${ONE}\", \"${TWO:?say it}\", \"${THREE:-three}\"]\n"
        #expect(
            report(text, dotEnvironment: "ONE='x\n") == ["3:25 env-file-syntax: /app/.env:1:5: a quote is not closed"])
        #expect(
            report(text, dotEnvironment: nil) == ["3:25 env-file-not-found: cannot read /app/.env: permission denied"])
        #expect(
            report(text, dotEnvironment: "ONE=1\n") == ["3:35 required-variable: TWO: say it"])
    }

    @Test func `a .env that can't be read is no matter when nothing is looked up in it`() {
        let text = "sidecars:\n  web:\n    command: [/bin/web, \"${ONE}\"]\n"
        #expect(report(text, dotEnvironment: nil, environment: ["ONE": "1"]) == [])
        #expect(report("sidecars: { web: { command: [/bin/web] } }", dotEnvironment: "'") == [])
        let defaulted = "sidecars:\n  web:\n    command: [/bin/web, \"${ONE:-1}\", \"${TWO}\"]\n"
        #expect(
            report(defaulted, dotEnvironment: "TWO=2\n<<<\n") == [
                "2:1 dotenv-syntax: there is no '=' after the name, so nothing is read there"
            ])
    }

    @Test func `a directory called .env is no matter`() {
        var files = MemoryFiles(texts: ["/bin/web": ""])
        files.directories.insert("/app/.env")
        let text = "sidecars:\n  web:\n    command: [/bin/web, \"${ONE}\"]\n"
        #expect(
            load(text, environment: [:], options: LoadOptions(), files: files).report == [
                "3:25 undefined-variable: the variable ONE is not set"
            ])
    }

    @Test func `a secret in a .env that can't be read is not called a variable that is not set`() {
        let text = "secrets: { key: { env: KEY } }\nsidecars: { web: { command: [/bin/web], secrets: { KEY: key } } }\n"
        #expect(
            report(text, dotEnvironment: nil) == ["1:12 env-file-not-found: cannot read /app/.env: permission denied"])
    }

    @Test func `an address in a variable that is not known is not judged`() {
        let text = "sidecars: { web: { command: [./web], hooks: { on_crash: { webhook: \"http://${AT}/x\" } } } }"
        #expect(load(text).report == ["1:68 undefined-variable: the variable AT is not set"])
        #expect(load(text, options: LoadOptions(checksHost: false, interpolates: false)).report == [])
        #expect(load(text, environment: ["AT": "u@h"]).diagnostics.map(\.rule) == ["invalid-webhook"])
    }

    @Test func `typed values may come from variables, quoted or not`() throws {
        let loaded = load(
            """
            sidecars:
              web:
                command: [./web]
                replicas: "${N}"
                primary: ${P}
                stop: { grace: "${G}" }
                ports: { http: "${PORTS:-8080-8090}" }
            """, environment: ["N": "3", "P": "true", "G": "7s"])
        let web = try #require(loaded.plan).sidecars[0]
        #expect(web.replicas == 3)
        #expect(web.primary)
        #expect(web.stop.grace == .seconds(7))
        #expect(web.ports[0].wanted == .range(8080, 8090))
    }

    @Test func `in shell only references with a dot are ours`() throws {
        let loaded = load(
            """
            sidecars:
              web:
                shell: exec ./web ${ports.http} ${HOME} ${x%.*} ${replica} $$ ${project.name}
                ports: { http: 8080 }
            """)
        #expect(loaded.report == [])
        #expect(
            try #require(loaded.plan).sidecars[0].program
                == .shell(
                    Template(segments: [
                        .literal("exec ./web "), .reference(.port("http")),
                        .literal(" ${HOME} ${x%.*} ${replica} $$ "), .reference(.projectName),
                    ])))
    }

    @Test func `without interpolation variables stay, and what they stand for is not checked`() throws {
        let loaded = load(
            "sidecars:\n  web:\n    command: [\"${CMD}\"]\n    replicas: ${N}\n    stop: { signal: \"${S}\" }\n",
            options: LoadOptions(checksHost: false, interpolates: false))
        #expect(loaded.report == [])
        #expect(try #require(loaded.plan).sidecars[0].program == .command([Template("${CMD}")]))
    }

    @Test(arguments: [
        ("ports.http", Reference.port("http")),
        ("sidecars.web.ports.http", .sidecarPort(sidecar: "web", replica: nil, port: "http")),
        ("sidecars.web.0.ports.http", .sidecarPort(sidecar: "web", replica: 0, port: "http")),
        ("sidecars.web.host", .sidecarHost(sidecar: "web")),
        ("sidecars.web.addresses.http", .sidecarAddresses(sidecar: "web", port: "http")),
        ("project.name", .projectName), ("project.dir", .projectDirectory), ("project.data", .projectData),
        ("sidecar.name", .sidecarName), ("replica", .replica),
    ])
    func `references are recognised, and spelt as they are written`(text: String, reference: Reference) {
        #expect(value("\"<${\(text)}>\"") == Template(segments: [.literal("<"), .reference(reference), .literal(">")]))
        #expect(reference.description == text)
    }

    @Test func `references in env and defaults of all are checked against each sidecar`() {
        let loaded = load(
            """
            env: { ADDRESS: "${ports.http}" }
            sidecars:
              web: { command: [./web], ports: { http: 8080 } }
              db: { command: [./db] }
            """)
        #expect(loaded.report == ["1:17 unknown-port: 'db' gets this too and has no port 'http'"])
    }

    @Test func `a reference through a chain of dependencies is no surprise`() {
        let loaded = load(
            """
            sidecars:
              db: { command: [./db], ports: { sql: auto } }
              api: { command: [./api], depends_on: [db] }
              web: { command: [./web, "${sidecars.db.ports.sql}"], depends_on: [api] }
            """)
        #expect(loaded.report == [])
    }

    @Test(arguments: ["\"${H}\"", "{ path: \"${H}\" }"])
    func `a request's path that is not interpolated is not judged`(http: String) {
        let text = "sidecars: { web: { command: ./w, ports: { h: 80 }, health: { http: \(http) } } }"
        #expect(load(text, options: LoadOptions(checksHost: false, interpolates: false)).report == [])
        #expect(load(text).diagnostics.map(\.rule) == ["undefined-variable"])
        #expect(load(text, environment: ["H": "x"]).diagnostics.map(\.rule) == ["invalid-http-request"])
    }
}
