import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// The commands against a project that runs.
    @Suite
    struct CommandTests {
        private func withPair(_ body: (Sandbox) throws -> Void) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      db: { command: [sleep, "1000"], env: { COLOUR: red }, ports: { sql: auto } }
                      web: { command: [sleep, "1000"], depends_on: { db: started }, replicas: 2 }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("3 run") { sandbox.sidecars().count == 3 }
                try body(sandbox)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `status names every instance with its pid`() throws {
            try withPair { sandbox in
                let table = try sandbox.succeed("status")
                for name in ["db", "web/0", "web/1"] { #expect(table.contains(name)) }
                let json = try sandbox.succeed("status", "--json")
                for process in sandbox.sidecars() {
                    #expect(table.contains("\(process.pid)"))
                    #expect(json.contains("\(process.pid)"))
                }
            }
        }

        @Test func `stop and start respect dependencies`() throws {
            try withPair { sandbox in
                let refused = try sandbox.orchestrate("stop", "db")
                #expect(refused.status == 7)
                #expect(refused.everything.contains("web"))
                try sandbox.eventually("3 run") { sandbox.sidecars().count == 3 }
                try sandbox.succeed("stop", "db", "--cascade")
                #expect(sandbox.sidecars().isEmpty)
                try sandbox.succeed("start", "web")
                try sandbox.eventually("1 run") { sandbox.sidecars("db").count == 1 }
                try sandbox.eventually("2 run") { sandbox.sidecars("web").count == 2 }
            }
        }

        @Test func `restart replaces the processes of that sidecar alone`() throws {
            try withPair { sandbox in
                let db = sandbox.sidecars("db")
                let web = sandbox.sidecars("web")
                try sandbox.succeed("restart", "web")
                #expect(sandbox.sidecars("db") == db)
                try sandbox.eventually("2 run") { sandbox.sidecars("web").count == 2 }
                #expect(Set(sandbox.sidecars("web")).isDisjoint(with: web))
            }
        }

        @Test func `one replica can be restarted by its name`() throws {
            try withPair { sandbox in
                let before = Set(sandbox.sidecars("web"))
                try sandbox.succeed("restart", "web/1")
                try sandbox.eventually("2 run") { sandbox.sidecars("web").count == 2 }
                let after = Set(sandbox.sidecars("web"))
                #expect(after.count == 2)
                #expect(after.intersection(before).count == 1)
            }
        }

        @Test func `exec and env show a sidecar's own environment`() throws {
            try withPair { sandbox in
                let port = try sandbox.succeed("port", "db", "sql").split(separator: "\n").first.map(String.init)
                let inside = try sandbox.succeed("exec", "db", "--", "sh", "-c", "echo $COLOUR $PORT; pwd")
                #expect(inside == "red \(port ?? "")\n\(sandbox.directory)\n")
                #expect(try sandbox.orchestrate("exec", "db", "--", "sh", "-c", "exit 9").status == 9)
                let variables = try sandbox.succeed("env", "db")
                #expect(variables.contains("COLOUR=red"))
                #expect(variables.contains("PORT=\(port ?? "")"))
            }
        }

        @Test func `PWD is the sidecar's own directory, and OLDPWD and _ of its caller are not handed on`() throws {
            try Sandbox.run { sandbox in
                mkdir("\(sandbox.directory)/inner", 0o755)
                chown("\(sandbox.directory)/inner", sandbox.user ?? getuid(), sandbox.user ?? getgid())
                try sandbox.declare(
                    """
                      stays: { command: [sleep, "1000"] }
                      plain:
                        kind: task
                        command: [cp, /proc/self/environ, plain]
                        cwd: inner
                        hooks: { pre_start: { exec: [cp, /proc/self/environ, hook] } }
                      own: { kind: task, command: [cp, /proc/self/environ, own], cwd: inner, env: { PWD: /own, _: mine } }
                    """)
                func up(from old: String) throws {
                    let shell = ["PWD": sandbox.directory, "OLDPWD": old, "_": "/bin/orchestrate"]
                    #expect(try sandbox.start(["up", "-d"], environment: shell).end().status == 0)
                }
                func variables(_ file: String) -> [Substring] {
                    File.text("\(sandbox.directory)/inner/\(file)").split(separator: "\0")
                        .filter { ["PWD", "OLDPWD", "_"].contains($0.prefix { $0 != "=" }) }.sorted()
                }
                try up(from: "/old")
                for file in ["plain", "hook"] { #expect(variables(file) == ["PWD=\(sandbox.directory)/inner"]) }
                #expect(variables("own") == ["PWD=/own", "_=mine"])
                let seen = try sandbox.succeed("exec", "plain", "--", "printenv", "PWD")
                #expect(seen == "\(sandbox.directory)/inner\n")
                let before = sandbox.sidecars()
                try up(from: "/older")
                #expect(sandbox.sidecars() == before)
                try sandbox.succeed("down")
            }
        }

        @Test func `a port stays the same through down and up`() throws {
            try withPair { sandbox in
                let before = try sandbox.succeed("port", "db", "sql")
                try sandbox.succeed("down")
                try sandbox.succeed("up", "-d")
                #expect(try sandbox.succeed("port", "db", "sql") == before)
            }
        }

        @Test func `a task that lives longer than start.settle is not called healthy, unless it was asked`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      slow: { kind: task, shell: "sleep 0.3; exit 3" }
                      asked: { kind: task, shell: "echo here; sleep 1000", health: { log: here } }
                    """)
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(!up.everything.contains("slow healthy"), "\(up.everything)")
                #expect(up.everything.contains("slow failed: exit 3"), "\(up.everything)")
                #expect(up.everything.contains("asked healthy: ready"), "\(up.everything)")
                #expect(try sandbox.succeed("events").contains("alive for 0 ms"))
                try sandbox.succeed("down")
            }
        }

        @Test func `run gives the exit code of its task, each time anew`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  tidy: { kind: task, shell: \"echo tidied >>ran; exit 7\" }")
                for _ in 0..<2 { #expect(try sandbox.orchestrate("run", "tidy").status == 7) }
                #expect(File.text("\(sandbox.directory)/ran") == "tidied\ntidied\n")
                try sandbox.succeed("down")
            }
        }

        @Test func `a task that succeeded is not run again by a second up`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  tidy: { kind: task, shell: \"echo tidied >>ran\" }")
                for _ in 0..<2 { try sandbox.succeed("up", "-d") }
                #expect(File.text("\(sandbox.directory)/ran") == "tidied\n")
                try sandbox.succeed("down")
                try sandbox.succeed("up", "-d")
                #expect(File.text("\(sandbox.directory)/ran") == "tidied\ntidied\n")
                try sandbox.succeed("down")
            }
        }

        @Test func `logs are merged, and stay readable after down`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      first: { kind: task, shell: "echo one; echo two >&2" }
                      second: { kind: task, shell: "echo three; printf four", depends_on: { first: succeeded } }
                    """)
                try sandbox.succeed("up", "-d")
                for _ in 0..<2 {
                    let words = try sandbox.succeed("logs").split(separator: "\n").map {
                        String($0.split(separator: " ").last ?? "")
                    }
                    #expect(Set(words.prefix(2)) == ["one", "two"])
                    #expect(Array(words.dropFirst(2)) == ["three", "four"])
                    #expect(try sandbox.succeed("logs", "second", "--grep", "thr").contains("three"))
                    try sandbox.succeed("down")
                }
            }
        }

        @Test func `why tells of a crash`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  odd: { shell: \"if [ -e crashed ]; then exec sleep 1000; fi; touch crashed; exit 3\" }")
                _ = try sandbox.orchestrate("up", "-d")
                try sandbox.eventually("the successor runs") {
                    sandbox.sidecars("odd").contains { $0.arguments == ["sleep", "1000"] }
                }
                #expect(try sandbox.succeed("why", "odd").contains("3"))
                try sandbox.succeed("down")
            }
        }

        @Test func `init writes a valid manifest and never overwrites one`() throws {
            try Sandbox.run { sandbox in
                try sandbox.succeed("init")
                let written = File.text(sandbox.manifest)
                #expect(written.contains("sidecars:"))
                try sandbox.succeed("validate", "--no-host")
                #expect(try sandbox.orchestrate("init").status != 0)
                #expect(File.text(sandbox.manifest) == written)
            }
        }

        @Test(arguments: ["bash", "zsh", "fish"])
        func `completion is written for each shell`(shell: String) throws {
            try Sandbox.run { sandbox in
                let script = try sandbox.succeed("completion", shell)
                #expect(script.contains("orchestrate"))
                #expect(script.contains("---completion"))
            }
        }

        /// What bash offers for the last of these words.
        private func offered(_ words: String, in sandbox: Sandbox) throws -> Set<Substring> {
            let script = """
                source <(orchestrate completion bash)
                COMP_WORDS=(\(words)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE="${COMP_WORDS[*]}"
                COMP_POINT=${#COMP_LINE}
                function="$(complete -p orchestrate)"; function="${function##*-F }"
                "${function% *}" orchestrate "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            let path = ["PATH": "\(sandbox.programs):\(Sandbox.path)"]
            let ended = try sandbox.start(program: ["bash", "-c", script], environment: path).end()
            #expect(ended.status == 0)
            #expect(ended.everything == ended.output)
            return Set(ended.output.split(separator: "\n"))
        }

        /// What says which project is meant stands before the command.
        private func expectLeadingOptions(in sandbox: Sandbox) throws {
            #expect(try offered("orchestrate -f sidecars.yaml sta", in: sandbox) == ["start", "status"])
            #expect(try offered("orchestrate -f sidecars.yaml ''", in: sandbox).contains("down"))
            #expect(try offered("orchestrate -f si", in: sandbox) == ["sidecars.yaml"])
            #expect(try offered("orchestrate --file = si", in: sandbox) == ["sidecars.yaml"])
            #expect(try offered("orchestrate -f sidecars.yaml stop alpha be", in: sandbox).contains("beta/1"))
            #expect(try offered("orchestrate --file = sidecars.yaml logs -f al", in: sandbox) == ["alpha"])
            let flags = try offered("orchestrate --project x -f sidecars.yaml down --rel", in: sandbox)
            #expect(flags == ["--release-ports"])
            #expect(try offered("orchestrate --file /nowhere.yaml why ''", in: sandbox) == [])
        }

        @Test func `bash completes the names of sidecars, tasks and projects`() throws {
            try Sandbox.run { sandbox in
                #expect(try offered("orchestrate logs ''", in: sandbox) == [])
                let manifest = """
                      alpha: { command: [sleep, "1000"], env: { A: "${NOT_SET}" } }
                      beta: { command: [sleep, "1000"], replicas: 2 }
                      many: { command: [sleep, "1000"], replicas: 40 }
                      tidy: { kind: task, command: ["true"] }
                    """
                try sandbox.declare(manifest, top: "name: shop")
                let all: Set<Substring> = ["alpha", "beta", "beta/0", "beta/1", "many", "tidy"]
                #expect(try offered("orchestrate logs ''", in: sandbox) == all)
                #expect(try offered("orchestrate logs -f al", in: sandbox) == ["alpha"])
                #expect(try offered("orchestrate why many/3", in: sandbox).count == 11)
                #expect(try offered("orchestrate stop alpha be", in: sandbox) == ["beta", "beta/0", "beta/1"])
                #expect(try offered("orchestrate run ''", in: sandbox) == ["tidy"])
                #expect(try offered("orchestrate up --exit-code-from t", in: sandbox) == ["tidy"])
                #expect(try offered("orchestrate why --file /nowhere.yaml ''", in: sandbox) == [])
                try expectLeadingOptions(in: sandbox)
                #expect(sandbox.processes.isEmpty)
                #expect(try offered("orchestrate status --project s", in: sandbox) == [])
                try sandbox.declare(#"  alpha: { command: [sleep, "1000"] }"#, top: "name: shop")
                try sandbox.succeed("up", "-d")
                try File.write("broken: [", to: sandbox.manifest)
                #expect(try offered("orchestrate logs --project shop a", in: sandbox) == ["alpha"])
                try sandbox.succeed("down")
                #expect(try offered("orchestrate status --project s", in: sandbox) == ["shop"])
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test func `events are lines of JSON from the first on`() throws {
            try withPair { sandbox in
                let events = try sandbox.start("events", "-f")
                try events.prints("following")
                try sandbox.succeed("restart", "web/0")
                try events.prints("web/0")
                events.signal(SIGINT)
                let lines = try events.end().output.split(separator: "\n")
                #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
            }
        }

        @Test func `wait returns when the state is reached`() throws {
            try withPair { sandbox in
                try sandbox.succeed("wait", "db", "--for", "healthy", "--timeout", "5s")
                let late = try sandbox.orchestrate("wait", "db", "--for", "stopped", "--timeout", "100ms")
                #expect(late.status == 6)
                #expect(late.everything.contains("not stopped in time:\n  db: healthy"), "\(late.everything)")
                #expect(late.everything.contains("orchestrate why db"))
            }
        }

        @Test func `status lists sidecars in the manifest's order, also after the down`() throws {
            try Sandbox.run { sandbox in
                let names = ["web", "api", "db", "cache"]
                try sandbox.declare(
                    names.map { "  \($0): { command: [sleep, \"1000\"], replicas: \($0 == "db" ? 2 : 1) }" }
                        .joined(separator: "\n"))
                func listed() throws -> [String] {
                    try sandbox.orchestrate("status", "--json").output.matches(of: /"name" : "([^"]+)"/).map {
                        String($0.1)
                    }
                }
                try sandbox.succeed("up", "-d")
                let order = ["web", "api", "db/0", "db/1", "cache"]
                #expect(try listed() == order)
                try sandbox.succeed("down")
                #expect(try listed() == order)
            }
        }
    }
}
