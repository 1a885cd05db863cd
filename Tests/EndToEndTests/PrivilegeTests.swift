import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// Users, limits, and what an earlier life left behind, by the real programs.
    @Suite
    struct PrivilegeTests {
        @Test(.enabled(if: getuid() == 0, "becoming another user needs root"))
        func `a sidecar, its hooks and its probes run as its user, and its secrets are its own`() throws {
            try Sandbox.run { sandbox in
                let shared = "\(sandbox.directory)/shared"
                mkdir(shared, 0o777)
                chmod(shared, 0o777)
                try sandbox.declare(
                    """
                      web:
                        cwd: shared
                        user: nobody
                        umask: "0077"
                        nice: 3
                        ulimits: { nofile: 99, core: 0 }
                        secrets: { PG: pg, KEY: { from: pg, as: file } }
                        shell: |
                          id -un > who; echo $HOME $USER > home; nice > nice; ulimit -n > nofile
                          stat -c '%a %U' "$KEY" > key; cat "$KEY" > value
                          echo said >/dev/stdout
                          exec sleep 1000
                        health: { exec: [sh, -c, "id -un > probe.new; mv probe.new probe; test -s value"] }
                        hooks: { pre_start: { exec: [sh, -c, "id -un > hook"] } }
                      quick:
                        user: nobody
                        cwd: shared
                        shell: python3 -c "import os,socket;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.sendto(b'READY=1',os.environ['NOTIFY_SOCKET'])"; exec sleep 1000
                        health: { notify: true }
                    """, top: "secrets: { pg: { generate: 20 } }")
                try sandbox.succeed("up", "-d", "--timeout", "30s")
                func text(_ name: String) -> String { File.text("\(shared)/\(name)") }
                for name in ["who", "probe", "hook"] { #expect(text(name) == "nobody\n", "\(name)") }
                #expect(text("home") == "/nonexistent nobody\n")
                #expect(text("nice") == "3\n")
                #expect(text("nofile") == "99\n")
                #expect(text("key") == "400 nobody\n")
                #expect(text("value").utf8.count == 20)
                var facts = stat()
                #expect(stat("\(shared)/who", &facts) == 0 && facts.st_mode & 0o777 == 0o600)
                try sandbox.eventually("it could open its own output again") {
                    try sandbox.succeed("logs", "web").contains("said")
                }
                #expect(try sandbox.succeed("env", "web").contains("HOME=/nonexistent"))
                #expect(try sandbox.succeed("exec", "web", "--", "id", "-un") == "nobody\n")
                try sandbox.succeed("down")
                for project in Directory.entries("\(sandbox.directory)/state/orchestrate") {
                    #expect(!Directory.entries("/run/orchestrate").contains { $0.hasPrefix(project) })
                }
            }
        }

        /// Root without CAP_SYS_RESOURCE, as it is in most containers, may not ask for another user's limits.
        @Test(.enabled(if: getuid() == 0, "becoming another user needs root"), arguments: ["best", "session"])
        func `what another user's sidecar left in a session of its own is ended with it`(_ containment: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web:
                        cwd: /
                        user: nobody
                        command: [sh, -c, "(setsid sh -c 'trap \\"\\" TERM; sleep 1001 & sleep 1002' &) ; exec sleep 1003"]
                        stop: { grace: 300ms }
                    """)
                let up = try sandbox.start(
                    program: ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"]
                        + ["\(sandbox.programs)/orchestrate", "up", "-d"],
                    environment: ["ORCHESTRATE_CONTAINMENT": containment]
                ).end()
                try #require(up.status == 0, "\(up.everything)")
                try sandbox.eventually("4 run") { sandbox.sidecars().count == 4 }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `what a supervisor may not do is refused with the place, not tried`() throws {
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"], user: root, nice: -10 }
                    """)
                let ended = try sandbox.orchestrate("validate")
                #expect(ended.status == 3)
                #expect(ended.output.contains("may not become user 'root'"))
                #expect(ended.output.contains("may not set a niceness of -10"))
                #expect(try sandbox.orchestrate("up", "-d").status == 3)
                #expect(try sandbox.orchestrate("validate", "--no-host").status == 0)
            }
        }

        @Test func `limits of a whole sidecar are kept, or it is said why not`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"], resources: { memory: 64MiB, pids: 50 } }
                    """)
                let up = try sandbox.orchestrate("up", "-d", "--timeout", "30s")
                #expect(up.status == 0, "\(up.everything)")
                let pid = try #require(sandbox.sidecars("web").first?.pid)
                let group = ProcessTable.controlGroup(of: pid)
                let file = group.map { "\($0)/memory.max" }.flatMap { File.exists($0) ? $0 : nil }
                if let file {
                    #expect(File.text(file) == "67108864\n")
                } else {
                    #expect(up.errors.contains("resources-not-enforced"))
                    #expect(up.errors.contains("these limits are not enforced here"))
                }
                // In place, wherever it is kept.
                try sandbox.declare(
                    """
                      web: { command: [sleep, "1000"], resources: { memory: 128MiB } }
                    """)
                try sandbox.succeed("up", "-d")
                #expect(sandbox.sidecars("web").map(\.pid) == [pid])
                if let file { try sandbox.eventually("it has the new limit") { File.text(file) == "134217728\n" } }
                try sandbox.succeed("down")
            }
        }

        // MARK: What is left of an earlier life

        /// A program of this sandbox's own, so that nothing else on the machine runs it.
        private func withServer(_ body: (Sandbox, String) throws -> Void) throws {
            try Sandbox.run { sandbox in
                let server = "\(sandbox.directory)/server"
                let copy = try sandbox.start(program: ["cp", "/usr/bin/sleep", server]).end()
                try #require(copy.status == 0)
                try sandbox.declare(
                    """
                      db: { command: [\(server), "1000"], stale: { exe: \(server) } }
                    """)
                try body(sandbox, server)
                try sandbox.succeed("down")
            }
        }

        private func orphan(_ server: String, in sandbox: Sandbox) throws -> SeenProcess {
            let parent = try sandbox.start(program: ["sh", "-c", "setsid \(server) 999 >/dev/null 2>&1 &"])
            _ = try parent.end()
            var found: SeenProcess?
            try sandbox.eventually("the orphan has lost its parent") {
                found = sandbox.processes.first { $0.executable == "server" && $0.parent == 1 }
                return found != nil
            }
            return try #require(found)
        }

        @Test func `an orphan that runs the executable is listed by a dry run, and ended before the start`() throws {
            try withServer { sandbox, server in
                let orphan = try orphan(server, in: sandbox)
                // Its parent, this test, lives.
                let child = try sandbox.start(program: [server, "998"])
                let dry = try sandbox.orchestrate("up", "--dry-run")
                #expect(dry.output.contains("db: would end pid \(orphan.pid) (\(server))"))
                #expect(dry.output.contains("db: leaves pid \(child.pid) (\(server)) alone: its parent"))
                #expect(sandbox.processes.contains(orphan))
                try sandbox.succeed("up", "-d", "--timeout", "30s")
                #expect(!sandbox.processes.contains(orphan))
                #expect(sandbox.sidecars("db").count == 1)
                #expect(ProcessTable.process(child.pid) != nil)
                child.signal(SIGKILL)
                _ = try child.end()
            }
        }

        @Test func `a sidecar whose project lost its state is ended before it is started again`() throws {
            try withServer { sandbox, _ in
                try sandbox.succeed("up", "-d")
                let lost = try #require(sandbox.sidecars("db").first)
                try sandbox.killSupervision()
                Directory.remove("\(sandbox.directory)/state")
                try sandbox.eventually("it has lost its parent") { ProcessTable.process(lost.pid)?.parent == 1 }
                try sandbox.succeed("up", "-d", "--timeout", "30s")
                #expect(ProcessTable.process(lost.pid).map { $0 != lost } ?? true)
                #expect(sandbox.sidecars("db").count == 1)
            }
        }

        @Test(.enabled(if: getuid() == 0, "becoming another user needs root"))
        func `exec becomes nobody whom a start could not become`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(
                    "  web: { command: [sleep, \"1000\"], user: 4123456, restart: never }\n"
                        + "  own: { command: [sleep, \"1000\"], user: 4123456, group: 4123457 }")
                _ = try sandbox.orchestrate("up", "-d")
                let refused = try sandbox.orchestrate("exec", "web", "--", "id")
                #expect(refused.status == 1, "\(refused.everything)")
                #expect(refused.everything.contains("cannot find the user '4123456': there is none on this machine"))
                let run = try sandbox.succeed("exec", "own", "--", "sh", "-c", "id -u; id -g; id -G; echo $HOME")
                #expect(run == "4123456\n4123457\n4123457\n/\n")
                try sandbox.succeed("down")
            }
        }
    }
}
