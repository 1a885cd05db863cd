import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What becomes of a project when its machine holds something back: a mount that hangs, memory, processes, time.
    @Suite
    struct HostLossTests {
        private static let one = """
              one: { command: [sleep, "1000"], restart: { delay: 50ms, jitter: 0 } }
            """

        @Test(.enabled(if: HangingMount.isPossible, "needs FUSE, root to mount it, and python3 to serve it"))
        func `a directory on a mount that hangs holds up nobody else, and down still ends all`() throws {
            try Sandbox.run { sandbox in
                let mount = try HangingMount(in: sandbox)
                defer { mount.end() }
                let restart = "restart: { delay: 50ms, jitter: 0 }"
                try sandbox.declare(
                    """
                      other: { command: [sleep, "1000"], \(restart) }
                      one: { command: [sleep, "1000"], cwd: "\(mount.place)", \(restart) }
                      two: { command: [sleep, "1000"], cwd: "\(mount.place)", \(restart) }
                    """)
                try sandbox.succeed("up", "-d")
                let names = ["other", "one", "two"]
                try sandbox.eventually("all run") { names.allSatisfy { sandbox.running($0) == 1 } }
                mount.hang()
                // As many as there usually are threads that start something.
                for process in sandbox.sidecars("one") + sandbox.sidecars("two") { process.kill() }
                try sandbox.eventually("both are lost") { sandbox.running("one") + sandbox.running("two") == 0 }
                let before = sandbox.sidecars("other")
                try sandbox.succeed("restart", "other")
                #expect(sandbox.sidecars("other").count == 1)
                #expect(sandbox.sidecars("other") != before)
                try sandbox.eventually("it is said") {
                    try sandbox.succeed("status").contains("a mount that does not answer")
                }
                mount.goOn()
                try sandbox.eventually("both run again") {
                    sandbox.running("one") == 1 && sandbox.running("two") == 1
                }
                mount.hang()
                for process in sandbox.sidecars("one") { process.kill() }
                try sandbox.eventually("it is lost") { sandbox.running("one") == 0 }
                try sandbox.succeed("down")
                #expect(names.allSatisfy { sandbox.sidecars($0).isEmpty })
            }
        }

        @Test(
            .enabled(
                if: LimitedGroup.isPossible("memory") && EndToEnd.isInFirstNamespace,
                "needs root, the memory controller of cgroup v1, and the pids that the kernel's log names"))
        func `a sidecar that the kernel kills for want of memory is reported as that`() throws {
            try Sandbox.run { sandbox in
                let group = try LimitedGroup("memory", limit: ("memory.limit_in_bytes", "33554432"))
                defer { group.remove() }
                try sandbox.declare(
                    """
                      hungry:
                        shell: "echo $$ >\(group.path)/cgroup.procs; exec python3 -c 'x = bytearray(200 << 20)'"
                        restart: never
                        start: { settle: 30s }
                    """)
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(up.errors.contains("out of memory"), "\(up.everything)")
                #expect(try sandbox.succeed("why", "hungry").contains("out of memory"))
                #expect(try sandbox.succeed("status", "--json").contains("\"out_of_memory\" : true"))
                try sandbox.succeed("down")
            }
        }

        @Test(
            .enabled(if: getuid() == 0, "needs a user of whom nothing else runs"), arguments: [1, 2, 3, 5])
        func `where no supervision can be started for want of processes it is said which limit to raise`(
            _ limit: Int
        ) throws {
            try Sandbox.run(as: 61_234) { sandbox in
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                func limited(_ command: String) throws -> Program.Ended {
                    try sandbox.shell("exec prlimit --nproc=\(limit) orchestrate \(command)").end()
                }
                let up = try limited("up -d")
                #expect(up.status == 1)
                #expect(up.errors.contains("resource temporarily unavailable; raise the limit on processes: ulimit -u"))
                let kernel = try limited("doctor").output.split(separator: "\n").filter { $0.contains("use Linux 5.5") }
                #expect(kernel.isEmpty)
            }
        }

        @Test(
            .enabled(if: EndToEnd.canMount, "needs a small file system of its own, which only root can mount"),
            arguments: [3, 5, 6, 7, 8, 10, 12, 14])
        func `without inodes for its state an up says so, where, and the way out`(_ inodes: Int) throws {
            try Sandbox.run { sandbox in
                let small = "\(sandbox.directory)/state"
                mkdir(small, 0o755)
                #expect(try sandbox.tool("mount", "-t", "tmpfs", "-o", "nr_inodes=\(inodes)", "tmpfs", small) == 0)
                defer { _ = try? sandbox.tool("umount", small) }
                try sandbox.declare("  one: { command: [sleep, \"1000\"] }")
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.status == 1)
                #expect(up.errors.contains("\(small)/"), "\(up.errors)")
                #expect(up.errors.contains("(df -i)") || up.errors.contains("ORCHESTRATE_STATE_DIR"), "\(up.errors)")
            }
        }

        @Test func `at the limit on open files what runs is told of, taken up again and ended`() throws {
            try Sandbox.run { sandbox in
                let names = (1...20).map { "s\($0)" }
                let writes = "while :; do echo line; sleep 0.2; done"
                let declared = names.map { "  \($0): { shell: '\(writes)', restart: { delay: 1h } }" }
                try sandbox.declare(declared.joined(separator: "\n"))
                let small = try sandbox.shell("ulimit -n 100; orchestrate up -d").end()
                #expect(small.status == 1)
                #expect(small.errors.contains("only 100 files may be open, and it needs 128"), "\(small.everything)")
                let up = try sandbox.shell("ulimit -n 160; orchestrate up -d --no-wait").end()
                #expect(up.status == 0, "\(up.everything)")
                try sandbox.eventually("some run, the others are refused, and it is said") {
                    let status = try sandbox.succeed("status")
                    let states = status.split(separator: "\n").compactMap { $0.split(separator: " ").dropFirst().first }
                    return states.count { $0 == "healthy" || $0 == "backoff" } == 20
                        && status.contains("too many open files")
                }
                // Not what they run for a moment.
                func shells() -> [SeenProcess] { sandbox.sidecars().filter { $0.executable != "sleep" } }
                let before = shells()
                #expect((1..<20).contains(before.count))
                for round in 1...2 {
                    let supervisor = try #require(sandbox.supervisor)
                    supervisor.kill()
                    try sandbox.eventually("it is back, round \(round)") {
                        guard let next = sandbox.supervisor, next != supervisor else { return false }
                        return try sandbox.orchestrate("status").status == 0
                    }
                    // What is refused is tried again in an hour.
                    #expect(shells() == before)
                }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `a supervisor that gets no more memory comes back, and its sidecars go on`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = sandbox.sidecars("one")
                let supervisor = try #require(sandbox.supervisor)
                #expect(try sandbox.tool("prlimit", "--pid", "\(supervisor.pid)", "--as=1:") == 0)
                // More than it has at hand: it ends, or answers all the same.
                for _ in 0..<20 where sandbox.supervisor == supervisor {
                    _ = try sandbox.orchestrate("up", "-d")
                    _ = try sandbox.orchestrate("status", "--json")
                }
                try sandbox.eventually("a supervisor answers") { try sandbox.orchestrate("status").status == 0 }
                #expect(sandbox.sidecars("one") == before)
                if let limited = sandbox.supervisor, limited == supervisor {
                    #expect(try sandbox.tool("prlimit", "--pid", "\(limited.pid)", "--as=unlimited:") == 0)
                }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test(
            .enabled(
                if: LimitedGroup.isPossible("pids"), "needs root and the pids controller of cgroup v1 for its limit"))
        func `a cgroup that is full of processes costs starts and a supervisor's return, until there is room`() throws {
            try Sandbox.run { sandbox in
                let group = try LimitedGroup("pids", limit: ("pids.max", "max"))
                defer { group.remove() }
                try sandbox.declare(Self.one)
                let up = try sandbox.shell("echo $$ >\(group.path)/cgroup.procs; exec orchestrate up -d").end()
                #expect(up.status == 0, "\(up.everything)")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                try group.set("pids.max", "1")
                for process in sandbox.sidecars("one") { process.kill() }
                try sandbox.eventually("it is said") { try sandbox.succeed("status").contains("cannot clone") }
                let state = try #require(sandbox.stateDirectory)
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                try sandbox.eventually("the keeper cannot start another one") {
                    File.text("\(state)/supervisor.log").contains("cannot start the supervisor")
                }
                try group.set("pids.max", "max")
                try sandbox.eventually("it runs again") { sandbox.sidecars("one").count == 1 }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `after a sleep each probe is due once, and nobody was restarted for it`() throws {
            try Sandbox.run { sandbox in
                let probes = "\(sandbox.directory)/probes"
                try sandbox.declare(
                    """
                      one:
                        command: [sleep, "1000"]
                        health: { exec: [sh, -c, "date +%s%N >>\(probes)"], period: 400ms, timeout: 1s, failure_threshold: 1 }
                    """)
                try sandbox.succeed("up", "-d")
                let before = sandbox.sidecars("one")
                let asleep = try [sandbox.keeper, sandbox.supervisor].map { try #require($0) }
                for process in asleep { process.signal(SIGSTOP) }
                // Probes under way come to their end; those that would be due are missed.
                _ = try sandbox.tool("sleep", "2")
                let known = File.numbers(probes).count
                for process in asleep { process.signal(SIGCONT) }
                try sandbox.eventually("it is probed again") { File.numbers(probes).count >= known + 3 }
                let later = File.numbers(probes).dropFirst(known)
                for (one, next) in zip(later, later.dropFirst()) {
                    #expect(next - one > 200_000_000, "probes that were missed are not made up for: \(later)")
                }
                #expect(sandbox.sidecars("one").filter { $0.executable == "sleep" } == before)
                let status = try sandbox.succeed("status")
                #expect(status.contains("healthy"), "\(status)")
                try sandbox.succeed("down")
            }
        }

        @Test(
            .enabled(if: EndToEnd.canMount, "needs file systems of its own, which only root can mount"),
            arguments: [
                ["hugetlbfs", "none"]: "invalid argument", ["tmpfs", "none", "-o", "ro"]: "read-only file system",
            ])
        func `a file system that cannot hold the state is refused with the way out`(
            _ mount: [String], _ reason: String
        ) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                let place = "\(sandbox.directory)/odd"
                mkdir(place, 0o755)
                let words = ["mount", "-t", mount[0], mount[1], place] + mount.dropFirst(2)
                try #require(try sandbox.start(program: words).end().status == 0)
                defer { _ = try? sandbox.tool("umount", "-l", place) }
                let variables = ["ORCHESTRATE_STATE_DIR": "\(place)/state"]
                let up = try sandbox.start(["up", "-d"], environment: variables).end()
                #expect(up.status == 1)
                #expect(up.errors.contains(reason), "\(up.everything)")
                #expect(up.errors.contains("say where by ORCHESTRATE_STATE_DIR"), "\(up.everything)")
                let doctor = try sandbox.start(["doctor"], environment: variables).end()
                #expect(doctor.status == 1)
                #expect(doctor.output.contains("by ORCHESTRATE_STATE_DIR"), "\(doctor.everything)")
                #expect(sandbox.processes.isEmpty)
            }
        }

        @Test(.enabled(if: EndToEnd.canMount, "needs a file system of its own, which only root can mount"))
        func `state on an overlay, as in a container, survives as elsewhere`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                // The upper layer can be no overlay itself, as the directory may be one.
                let layers = "\(sandbox.directory)/layers"
                let place = "\(sandbox.directory)/state"
                for directory in [layers, place] { mkdir(directory, 0o755) }
                try #require(try sandbox.tool("mount", "-t", "tmpfs", "tmpfs", layers) == 0)
                defer { _ = try? sandbox.tool("umount", "-l", layers) }
                for name in ["low", "up", "work"] { mkdir("\(layers)/\(name)", 0o755) }
                let options = "lowerdir=\(layers)/low,upperdir=\(layers)/up,workdir=\(layers)/work"
                try #require(try sandbox.tool("mount", "-t", "overlay", "-o", options, "overlay", place) == 0)
                defer { _ = try? sandbox.tool("umount", "-l", place) }
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = sandbox.sidecars("one")
                try sandbox.killSupervision()
                try sandbox.succeed("up", "-d")
                #expect(sandbox.sidecars("one") == before)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }
    }
}

extension Sandbox {
    /// Sidecars that run their program: one that hangs before that still looks like its supervisor.
    fileprivate func running(_ name: String) -> Int { sidecars(name).count { $0.executable == "sleep" } }
}

extension File {
    fileprivate static func numbers(_ path: String) -> [Int] {
        text(path).split(separator: "\n").compactMap { Int($0) }
    }
}
