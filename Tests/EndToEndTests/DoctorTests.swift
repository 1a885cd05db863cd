import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    @Suite
    struct DoctorTests {
        @Test func `what the kernel and the file system can do is found by trying`() throws {
            try Sandbox.run { sandbox in
                let text = try sandbox.orchestrate("doctor").output
                for line in ["clone3 with a pidfd: works", "subreaper: works", "write-ahead log work", "open files: "] {
                    #expect(text.contains(line), "\(line) is missing in:\n\(text)")
                }
                #expect(text.contains("containment cgroup: ") || text.contains("containment keeper: "))
                let json = try sandbox.orchestrate("doctor", "--json").output
                #expect(json.contains(#""verdict" : "good""#))
                // The trials leave nothing behind, not even the directory that is not needed yet.
                #expect(!File.exists("\(sandbox.directory)/state"))
                #expect(Directory.entries(sandbox.directory).allSatisfy { !$0.contains("doctor") })
            }
        }

        @Test func `a state directory that everybody may write to is a problem, and no place to start in`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                let root = "\(sandbox.directory)/state/orchestrate"
                mkdir("\(sandbox.directory)/state", 0o700)
                mkdir(root, 0o700)
                chmod(root, 0o777)
                let ended = try sandbox.orchestrate("doctor")
                #expect(ended.status == 1)
                #expect(ended.output.contains("everybody may write to it"))
                #expect(ended.output.contains("chmod o-w \(root)"))
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(up.errors.contains("everybody may write to it"))
            }
        }

        @Test func `a directory above all state that everybody may write to is a problem too`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                let above = "\(sandbox.directory)/state"
                mkdir(above, 0o700)
                chmod(above, 0o777)
                for command in [["doctor"], ["up", "-d"]] {
                    let ended = try sandbox.start(command).end()
                    #expect(ended.status == 1)
                    #expect(ended.everything.contains("everybody may write to it"), "\(ended.everything)")
                    #expect(ended.everything.contains("chmod o-w \(above)"))
                }
                #expect(Directory.entries(above).isEmpty)
            }
        }

        @Test(.enabled(if: geteuid() == 0, "giving a file away needs root"))
        func `state is kept elsewhere than where another user's link leads, and why is said`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                let (above, elsewhere) = ("\(sandbox.directory)/state", "\(sandbox.directory)/elsewhere")
                for directory in [above, elsewhere, "\(sandbox.directory)/run"] { mkdir(directory, 0o700) }
                symlink(elsewhere, "\(above)/orchestrate")
                lchown("\(above)/orchestrate", 65_534, 65_534)
                let runtime = ["XDG_RUNTIME_DIR": "\(sandbox.directory)/run"]
                for command in [["up", "-d"], ["doctor"], ["down"]] {
                    let ended = try sandbox.start(command, environment: runtime).end()
                    guard command != ["down"] else { continue }
                    let reason = "\(above)/orchestrate cannot be used: the link belongs to another user"
                    #expect(ended.everything.contains(reason), "\(ended.everything)")
                }
                #expect(Directory.entries(elsewhere).isEmpty)
                #expect(!Directory.entries("\(sandbox.directory)/run/orchestrate-state").isEmpty)
            }
        }

        @Test func `files that others may reach and a journal that cannot be read are named`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.succeed("down")
                let state = try #require(sandbox.stateDirectory)
                chmod(state, 0o755)
                try File.write("this is no journal", to: "\(state)/journal.db", mode: 0o600)
                for suffix in ["-wal", "-shm"] { unlink("\(state)/journal.db\(suffix)") }
                let ended = try sandbox.orchestrate("doctor")
                #expect(ended.status == 1)
                #expect(ended.output.contains("chmod 700 \(state)"))
                #expect(ended.output.contains("journal: "))
                chmod(state, 0o700)
                unlink("\(state)/journal.db")
            }
        }

        @Test func `what lost its supervisors is listed as a leak, and left alone`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"], replicas: 2 }")
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("2 run") { sandbox.sidecars("one").count == 2 }
                let before = sandbox.sidecars("one")
                #expect(try leaked(in: sandbox).isDisjoint(with: before.map(\.pid)))
                try loseSupervision(of: sandbox)
                let ended = try sandbox.orchestrate("doctor", "--leaks")
                #expect(ended.status == 1)
                #expect(ended.output.contains("orchestrate down --project"))
                #expect(try leaked(in: sandbox).isSuperset(of: before.map(\.pid)))
                let general = try sandbox.orchestrate("doctor")
                #expect(general.status == 1)
                #expect(general.output.contains("supervisor: gone, and what it started may still run"))
                #expect(sandbox.sidecars("one") == before)
                try sandbox.succeed("down")
                #expect(try leaked(in: sandbox).isDisjoint(with: before.map(\.pid)))
            }
        }

        @Test func `what lost its state too is still found`() throws {
            try Sandbox.run { sandbox in
                // A daemon in a session of its own, without an environment.
                try sandbox.declare(
                    """
                      one: { shell: "setsid env -i sleep 1000 & exec sleep 1000" }
                    """)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("2 run") { sandbox.family.count == 2 }
                let before = sandbox.family
                try loseSupervision(of: sandbox)
                Directory.remove("\(sandbox.directory)/state")
                #expect(try leaked(in: sandbox).isSuperset(of: before.map(\.pid)))
                let text = try sandbox.orchestrate("doctor", "--leaks").output
                #expect(text.contains("the state of what has no project is gone"))
                for process in before { process.kill() }
                try sandbox.eventually("they are gone") { before.allSatisfy { ProcessTable.process($0.pid) != $0 } }
            }
        }

        @Test func `FIFOs in memory that nobody has any more are listed, and gone with the next start`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let state = try #require(sandbox.stateDirectory)
                let link = try #require(realpath("\(state)/fifo", nil))
                let place = String(cString: link)
                free(link)
                try loseSupervision(of: sandbox)
                Directory.remove("\(sandbox.directory)/state")
                let before = sandbox.sidecars("one")
                #expect(try !sandbox.orchestrate("doctor", "--leaks").output.contains(place))
                for process in before { process.kill() }
                try sandbox.eventually("it is gone") { before.allSatisfy { ProcessTable.process($0.pid) != $0 } }
                let ended = try sandbox.orchestrate("doctor", "--leaks")
                // Other tests may have started something meanwhile.
                #expect((ended.status == 1 && ended.output.contains(place)) || !File.exists(place), "\(ended.output)")
                try sandbox.succeed("up", "-d")
                #expect(!File.exists(place))
                try sandbox.succeed("down")
            }
        }

        @Test func `a lease whose client is gone is stale`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                let client = try sandbox.start("up")
                try client.prints("ready")
                try loseSupervision(of: sandbox, stopping: client.pid)
                client.signal(SIGKILL)
                _ = try client.end()
                let text = try sandbox.orchestrate("doctor").output
                #expect(text.contains("lease: stale: held by pid \(client.pid)"), "\(text)")
                _ = try sandbox.orchestrate("down")
            }
        }

        private func loseSupervision(of sandbox: Sandbox, stopping client: pid_t? = nil) throws {
            // It would start them again.
            if let client { kill(client, SIGSTOP) }
            try sandbox.killSupervision()
        }

        /// Others on this machine may have some too.
        private func leaked(in sandbox: Sandbox) throws -> Set<pid_t> {
            let json = try sandbox.orchestrate("doctor", "--leaks", "--json").output
            return Set(
                json.split(separator: "\n").compactMap { line in
                    line.contains("\"pid\"") ? pid_t(line.filter(\.isNumber)) : nil
                })
        }
    }
}
