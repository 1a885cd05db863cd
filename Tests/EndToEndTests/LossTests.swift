import ChaosKit
import Glibc
import Testing

extension EndToEnd {
    /// What a project does that loses something other than a process. Each loss has an outcome, a sentence and a way out.
    @Suite
    struct LossTests {
        private static let one = """
              one: { command: [sleep, "1000"], restart: { delay: 50ms, jitter: 0 } }
            """

        @Test(arguments: ["deleted", "moved away", "without its lock"])
        func `a project whose state directory is gone is brought down, and never doubled`(_ how: String) throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = try #require(sandbox.sidecars("one").first)
                let state = try #require(sandbox.stateDirectory)
                switch how {
                case "deleted": Directory.remove(state)
                case "moved away": rename(state, "\(sandbox.directory)/moved")
                default: unlink("\(state)/lock")
                }
                // At once, before the other has come to its end.
                try sandbox.succeed("up", "-d")
                #expect(ProcessTable.process(before.pid) != before)
                try sandbox.eventually("another one runs") {
                    sandbox.sidecars("one").count == 1 && sandbox.sidecars("one").first != before
                }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        /// A restart policy of whoever runs it, such as `Restart=on-failure`, brings it back.
        @Test func `a foreground up whose state directory is gone is no success`() throws {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                let up = try sandbox.start("up")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                Directory.remove(try #require(sandbox.stateDirectory))
                let ended = try up.end()
                #expect(ended.status == 1, "\(ended.everything)")
                #expect(ended.everything.contains("was deleted or moved away"))
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        /// What it left is known by the mark it carries.
        @Test(arguments: ["spawns deleted", "spawns cut off", "state deleted", "all killed, state deleted"])
        func `a life whose records are lost is ended before another one starts, and by down`(_ how: String) throws {
            for command in [["up", "-d"], ["down"]] {
                try Sandbox.run { sandbox in
                    try sandbox.declare(
                        """
                          one: { shell: "setsid -f sleep 2000; exec sleep 1000", restart: { delay: 50ms, jitter: 0 } }
                        """)
                    try sandbox.succeed("up", "-d")
                    try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 2 }
                    let before = sandbox.sidecars("one")
                    let state = try #require(sandbox.stateDirectory)
                    switch how {
                    case "spawns deleted":
                        unlink("\(state)/spawns")
                        try sandbox.killSupervision()
                    case "spawns cut off":
                        // Whoever looks at it next dies by that.
                        truncate("\(state)/spawns", 0)
                        _ = try sandbox.orchestrate("restart", "one")
                    case "state deleted":
                        let supervisor = try #require(sandbox.supervisor)
                        supervisor.signal(SIGSTOP)
                        Directory.remove(state)
                        supervisor.kill()
                    default:
                        try sandbox.killSupervision()
                        Directory.remove(state)
                    }
                    let ended = try sandbox.start(command).end()
                    #expect(ended.status == 0, "\(ended.everything)")
                    if command == ["down"] {
                        #expect(sandbox.sidecars().isEmpty)
                        return
                    }
                    try sandbox.eventually("one life runs, and it is another one") {
                        let now = sandbox.sidecars("one")
                        return now.count == 2 && Set(now).isDisjoint(with: before)
                    }
                    try sandbox.succeed("down")
                    #expect(sandbox.sidecars().isEmpty)
                }
            }
        }

        @Test func `with a damaged journal nothing is started until it is moved away, and then what lives is found`()
            throws
        {
            try Sandbox.run { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = sandbox.sidecars()
                try sandbox.killSupervision()
                let journal = "\(try #require(sandbox.stateDirectory))/journal.db"
                unlink("\(journal)-wal")
                unlink("\(journal)-shm")
                try File.write(String(repeating: "damage", count: 5000), to: journal)

                let refused = try sandbox.orchestrate("up", "-d")
                #expect(refused.status == 1)
                #expect(refused.errors.contains("mv '\(journal)' '\(journal).damaged'"), "\(refused.errors)")
                #expect(sandbox.sidecars() == before)
                // In the order in which it works.
                let diagnosis = try sandbox.orchestrate("doctor").output
                #expect(diagnosis.contains("move \(journal) away, then orchestrate down --project"), "\(diagnosis)")

                rename(journal, "\(journal).damaged")
                #expect(try sandbox.orchestrate("doctor").output.contains("ends it and starts all anew"))
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("one runs, and only one") {
                    sandbox.sidecars("one").count == 1 && sandbox.sidecars("one") != before
                }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `a journal cut off at any length is read as far as it goes, or refused`() throws {
            var chance = Chance(seed: UInt64(getpid()))
            for round in 0..<rounds {
                try Sandbox.run { sandbox in
                    try sandbox.declare(Self.one)
                    try sandbox.succeed("up", "-d")
                    try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                    try sandbox.killSupervision()
                    let log = "\(try #require(sandbox.stateDirectory))/journal.db-wal"
                    var facts = stat()
                    stat(log, &facts)
                    let length = chance.next(below: max(1, Int(facts.st_size)))
                    truncate(log, length)
                    try sandbox.succeed("up", "-d")
                    try sandbox.eventually("one runs, round \(round), \(length) bytes") {
                        sandbox.sidecars("one").count == 1
                    }
                    try sandbox.succeed("down")
                    #expect(sandbox.sidecars().isEmpty)
                }
            }
        }

        @Test(arguments: ["--nproc": "raise the limit on processes: ulimit -u", "--nofile": "too many open files"])
        func `without processes or descriptors it is said, tried again, and works when there are some`(
            _ limit: String, _ sentence: String
        ) throws {
            // Root is not held by the number of processes.
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let supervisor = try #require(sandbox.supervisor)
                // One number is left for who asks, and none for what is to be started.
                let few = limit == "--nproc" ? 1 : Self.descriptors(of: supervisor.pid, leaving: 1)
                #expect(
                    try sandbox.start(program: ["prlimit", "--pid", "\(supervisor.pid)", "\(limit)=\(few):"]).end()
                        .status
                        == 0)
                let restart = try sandbox.start("restart", "one")
                try sandbox.eventually("it is said") {
                    File.text("\(try #require(sandbox.stateDirectory))/logs/one.0.log").contains(sentence)
                        || restart.has(printed: sentence)
                }
                #expect(
                    try sandbox.start(program: ["prlimit", "--pid", "\(supervisor.pid)", "\(limit)=4096:"]).end().status
                        == 0)
                #expect(try restart.end().status == 0)
                #expect(sandbox.sidecars("one").count == 1)
                #expect(sandbox.supervisor == supervisor)
                try sandbox.succeed("down")
            }
        }

        /// The limit of open files that leaves so many numbers free.
        private static func descriptors(of pid: Int32, leaving count: Int) -> Int {
            let taken = Set(Directory.entries("/proc/\(pid)/fd"))
            var limit = 0
            var free = 0
            while free < count {
                if !taken.contains(String(limit)) { free += 1 }
                limit += 1
            }
            return limit
        }

        @Test func `a state directory that cannot be written keeps nothing from being restarted and stopped`() throws {
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = sandbox.sidecars("one")
                let state = try #require(sandbox.stateDirectory)
                for place in [state, "\(state)/logs"] { chmod(place, 0o500) }
                defer { for place in [state, "\(state)/logs"] { chmod(place, 0o700) } }
                try sandbox.succeed("restart", "one")
                try sandbox.eventually("another one runs") {
                    sandbox.sidecars("one").count == 1 && sandbox.sidecars("one") != before
                }
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test func `a supervisor that is killed comes back to a state directory that cannot be written`() throws {
            try Sandbox.run(as: getuid() == 0 ? 65534 : nil) { sandbox in
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = sandbox.sidecars("one")
                let state = try #require(sandbox.stateDirectory)
                chmod(state, 0o500)
                defer { chmod(state, 0o700) }
                let supervisor = try #require(sandbox.supervisor)
                supervisor.kill()
                try sandbox.eventually("it is said why it does not come back") {
                    File.text("\(state)/supervisor.log").contains("cannot be written")
                }
                #expect(sandbox.sidecars("one") == before)
                chmod(state, 0o700)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }

        @Test(.enabled(if: EndToEnd.canMount, "needs a small file system of its own, which only root can mount"))
        func `a full disk under the state directory stops nothing, and it is said`() throws {
            try Sandbox.run { sandbox in
                let small = "\(sandbox.directory)/state"
                mkdir(small, 0o755)
                #expect(try sandbox.tool("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small) == 0)
                defer { _ = try? sandbox.tool("umount", small) }
                try sandbox.declare(Self.one)
                try sandbox.succeed("up", "-d")
                try sandbox.eventually("it runs") { sandbox.sidecars("one").count == 1 }
                let before = sandbox.sidecars("one")
                _ = try sandbox.tool("dd", "if=/dev/zero", "of=\(small)/filling", "bs=4096")
                for _ in 0..<20 { try sandbox.succeed("restart", "one") }
                #expect(sandbox.sidecars("one").count == 1)
                #expect(sandbox.sidecars("one") != before)
                let status = try sandbox.succeed("status")
                #expect(status.contains("disk is full"), "\(status)")
                let up = try sandbox.orchestrate("up", "-d")
                #expect(up.everything.contains("warning: the journal cannot be written"), "\(up.everything)")
                let stop = try sandbox.orchestrate("stop", "one")
                #expect(stop.status == 0)
                #expect(stop.errors.contains("warning: the journal cannot be written"), "\(stop.everything)")
                unlink("\(small)/filling")
                try sandbox.eventually("it is written as soon as there is room") {
                    try !sandbox.succeed("status").contains("disk is full")
                }
                // What was asked for meanwhile is known to the next supervisor.
                try #require(sandbox.supervisor).kill()
                try sandbox.eventually("another one is there") { try sandbox.orchestrate("status").status == 0 }
                #expect(sandbox.sidecars("one").isEmpty)
                try sandbox.succeed("down")
                #expect(sandbox.sidecars().isEmpty)
            }
        }
    }
}
