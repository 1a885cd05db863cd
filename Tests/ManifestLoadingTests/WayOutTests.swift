import ManifestLoading
import SidecarModel
import Testing

/// What a diagnostic says to do can be done there, and helps.
@Suite struct WayOutTests {
    private func helps(_ text: String, files: MemoryFiles = MemoryFiles()) -> [String?] {
        load(text, options: LoadOptions(checksHost: files.abilities != nil), files: files).diagnostics.map(\.help)
    }

    @Test func `each secret in plain text is given a name of its own`() {
        #expect(
            helps("sidecars: { a: { command: a, env: { DB_PASSWORD: hunter22, API_KEY: hunter23 } } }") == [
                "declare it: secrets: { db-password: { env: DB_PASSWORD } }, and hand it over: "
                    + "secrets: { DB_PASSWORD: db-password }",
                "declare it: secrets: { api-key: { env: API_KEY } }, and hand it over: secrets: { API_KEY: api-key }",
            ])
        #expect(
            helps(
                "secrets: { pw: { env: DB_PASSWORD } }\n"
                    + "sidecars: { a: { command: a, env: { DB_PASSWORD: hunter22 } }, b: { command: b, secrets: { P: pw } } }"
            ) == ["hand over a secret instead: secrets: { DB_PASSWORD: pw }"])
    }

    @Test func `root without a capability is told of that, and others of root`() {
        for (user, help) in [
            (0, "give the supervisor CAP_SETUID and CAP_SETGID, which this root lacks, or remove 'user'"),
            (1000, "bring the project up as root, or remove 'user'"),
        ] {
            let files = MemoryFiles(
                texts: ["/bin/a": ""], accounts: ["web": 1001],
                abilities: HostAbilities(
                    user: UInt32(user), group: 0, mayChangeIdentity: false, mayRaiseLimits: false, lowestNice: 0))
            #expect(helps("sidecars: { a: { command: /bin/a, user: web } }", files: files) == [help])
        }
    }

    @Test func `arguments are led to the place behind their program`() {
        #expect(
            helps("sidecars: { a: { entrypoint: [./a], args: [x] } }") == [
                "did you mean 'command'?", "they stand behind the program: command: [program, argument]",
            ])
    }

    @Test func `a dependency in a list is shown the form that can do without it`() {
        #expect(
            helps("sidecars: { a: { command: a, depends_on: [remote] } }") == [
                "declare it, or write the mapping form: depends_on: { remote: { required: false } }"
            ])
        #expect(
            helps("sidecars: { a: { command: a, depends_on: { remote: started } } }") == [
                "declare it, or write { remote: { required: false } }"
            ])
    }
}
