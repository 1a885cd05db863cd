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
