import ManifestLoading
import SidecarModel
import Testing

/// What is said of programs and directories that this user may not use.
@Suite struct HostRuleTests {
    private var files: MemoryFiles {
        MemoryFiles(texts: ["/bin/sh": "", "/opt/web": ""], closed: ["/secret"])
    }

    private func diagnose(_ sidecar: String, path: String = "/secret:/opt:/bin") -> [String] {
        let loaded = load(
            "sidecars: { web: { \(sidecar) } }", environment: ["PATH": path], options: LoadOptions(), files: files)
        return loaded.diagnostics.map { "\($0.rule): \($0.message) (\($0.help ?? ""))" }
    }

    @Test func `a program behind a closed door is not called absent`() {
        #expect(
            diagnose("command: /secret/web") == [
                "command-not-executable: /secret/web can't be executed: permission denied by a directory above it "
                    + "(let this user in, or choose another)"
            ])
    }

    @Test func `what PATH leads to and can't be executed is named, unless another can`() {
        #expect(diagnose("command: web") == ["command-not-executable: /opt/web is not executable (chmod +x /opt/web)"])
        #expect(diagnose("command: sh") == [])
        #expect(
            diagnose("command: nobody") == [
                "command-not-found: there is no command 'nobody' in PATH that this user may see: permission denied by /secret "
                    + "(install it, or give its path)"
            ])
        #expect(
            diagnose("command: nobody", path: "/bin") == [
                "command-not-found: there is no command 'nobody' in PATH (install it, or give its path)"
            ])
    }

    @Test func `only of a relative path is said where it starts`() {
        #expect(
            diagnose("command: /bin/none") == [
                "command-not-found: there is no file /bin/none (install it, or correct the path)"
            ])
        #expect(
            diagnose("command: ./none") == [
                "command-not-found: there is no file /app/none (a relative path starts at the sidecar's cwd)"
            ])
    }

    @Test func `directories behind a closed door are said to be that`() {
        #expect(
            diagnose("command: sh, cwd: /secret/here") == [
                "directory-not-found: the directory /secret/here can't be entered: permission denied "
                    + "(let this user in, or choose another)"
            ])
        #expect(
            diagnose("command: sh, logs: { dir: /secret/logs }") == [
                "directory-not-found: logs can't be kept in /secret/logs: permission denied by /secret "
                    + "(let this user in, or choose another by logs.dir)"
            ])
    }

    @Test func `what the sidecar's user may not enter or execute is named with that user`() {
        var files = files
        files.directories.formUnion(["/bin", "/home"])
        files.texts["/bin/ours"] = ""
        files.accounts = ["nobody": 7]
        files.ours = ["/home", "/bin/ours"]
        func diagnose(_ sidecar: String) -> [String] {
            let loaded = load(
                "sidecars: { web: { \(sidecar) } }", environment: ["PATH": "/bin"], options: LoadOptions(), files: files
            )
            return loaded.diagnostics.map { "\($0.rule): \($0.message) (\($0.help ?? ""))" }
        }
        let refused = [
            "command-not-executable: user 'nobody' may not execute /bin/ours "
                + "(let that user execute it, or choose another)"
        ]
        for command in ["/bin/ours", "ours"] {
            #expect(diagnose("command: \(command)") == [])
            #expect(diagnose("command: \(command), user: nobody") == refused)
            #expect(diagnose("command: sh, user: nobody, hooks: { pre_start: { exec: [\(command)] } }") == refused)
        }
        #expect(
            diagnose("command: sh, user: nobody, cwd: /home") == [
                "directory-not-found: the directory /home can't be entered by user 'nobody': permission denied "
                    + "(let that user in, or choose another)"
            ])
    }

    @Test func `a program that is there and can't be run is told of`() {
        var files = files
        files.texts["/bin/lost"] = ""
        files.texts["/bin/text"] = ""
        files.flaws = ["/bin/lost": .interpreterNotFound("/no/such"), "/bin/text": .unknownFormat]
        func diagnose(_ sidecar: String) -> [String] {
            let loaded = load(
                "sidecars: { web: { \(sidecar) } }", environment: ["PATH": "/bin"], options: LoadOptions(), files: files
            )
            return loaded.diagnostics.map { "\($0.rule): \($0.message)" }
        }
        let lost = ["command-not-executable: the interpreter that /bin/lost names is not there: /no/such"]
        #expect(diagnose("command: lost") == lost)
        #expect(diagnose("command: /bin/lost") == lost)
        #expect(
            diagnose("command: text") == [
                "command-not-executable: /bin/text is neither a program nor a script with a #! line"
            ])
        let long = String(repeating: "x", count: 131_072)
        for program in ["command: [sh, \(long)]", "shell: echo \(long.dropFirst(5))"] {
            #expect(
                diagnose(program) == [
                    "command-not-executable: an argument has 131072 bytes, and the system takes no more than 131071"
                ])
        }
        #expect(diagnose("command: [sh, \(long.dropFirst())]") == [])
    }

    @Test func `a secret's file that this user may not read is an error`() {
        var files = files
        files.texts["/app/key"] = ""
        files.unreadable = ["/app/key"]
        for path in ["/app/key", "/secret/key"] {
            let loaded = load(
                "secrets: { k: { file: \(path) } }\nsidecars: { web: { command: /bin/sh, secrets: { K: k } } }",
                options: LoadOptions(), files: files)
            #expect(
                loaded.diagnostics.map { "\($0.rule): \($0.message)" } == [
                    "secret-not-found: cannot read \(path) for the secret 'k': permission denied"
                ])
            #expect(loaded.hasErrors)
        }
    }

    @Test func `what is named by a variable that is not interpolated is not looked up`() {
        let loaded = load(
            """
            env_file: "${EF}"
            secrets: { key: { file: "${KEYS}/key" } }
            sidecars:
              web: { command: ["${BIN}/sleep"], cwd: "${D}", secrets: { KEY: key } }
              api: { command: ./api, cwd: "${D}", env_file: [{ path: "conf/${EF}" }] }
              job: { command: sleep, env: { PATH: "${P}" } }
              gone: { command: /bin/gone }
            """, options: LoadOptions(interpolates: false), files: files)
        #expect(loaded.report == ["7:20 command-not-found: there is no file /bin/gone"])
    }

    @Test(arguments: [
        (FileReadFailure.tooLarge(limit: 9), "yaml-too-large"), (.isDirectory, "manifest-unreadable"),
    ])
    func `a manifest that can't be read is a diagnostic, wherever it comes from`(
        failure: FileReadFailure, rule: String
    ) {
        let loaded = unreadableManifest(failure, file: "<stdin>")
        #expect(loaded.hasErrors)
        #expect(loaded.diagnostics.map(\.rule) == [rule])
    }
}
