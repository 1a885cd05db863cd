import CProcess
import Glibc
import Supervision
import Testing

/// Real processes under a real keeper, at each level of containment.
@Suite(.serialized) struct KeptProcessTests {
    static let provenLevels: [Containment.Level] = {
        // Level A only where this machine gives us cgroups.
        var levels: [Containment.Level] = [.keeper]
        if let project = try? SupervisedProject(), !project.controlGroup.isEmpty { levels.append(.cgroup) }
        return levels
    }()

    private func lives(_ pid: Int32) -> Bool {
        var facts = orch_process_facts()
        return orch_process_look(pid, &facts) == 0 && facts.state != CChar(UInt8(ascii: "Z"))
    }

    @Test(arguments: provenLevels) func `exit codes and signals are told`(level: Containment.Level) throws {
        let project = try SupervisedProject(level)
        _ = try project.start("a", "exit 3")
        #expect(try project.answer() == "exited a exit 3")
        let pid = try project.start("b", "echo $$ >$NEWS; exec sleep 1000")
        #expect(try project.news.pid() == pid)
        project.tell("signal", "b", "TERM", "leader")
        #expect(try project.answer() == "exited b SIGTERM")
        for name in ["a", "b"] {
            project.tell("clear", name)
            #expect(try project.answer() == "empty \(name)")
            project.tell("release", name)
            #expect(try project.answer() == "released \(name)")
        }
        project.finish()
    }

    @Test(arguments: provenLevels) func `an escapee in another session is found and ended`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        _ = try project.start("a", "setsid sh -c 'echo $$ >$NEWS; exec sleep 1000' & wait $!; exit 0")
        // The leader goes first; its escapee is then the keeper's child.
        let escapee = try project.news.pid()
        project.tell("signal", "a", "KILL", "leader")
        #expect(try project.answer() == "exited a SIGKILL")
        project.tell("survivors", "a")
        #expect(try project.answer() == "survivors \(escapee)")
        project.tell("owner", "\(escapee)")
        #expect(try project.answer() == "owner a")
        project.tell("clear", "a", "TERM")
        #expect(try project.answer() == "empty a")
        #expect(!lives(escapee))
        project.tell("release", "a")
        #expect(try project.answer() == "released a")
        project.finish()
    }

    @Test(arguments: provenLevels) func `who ignores the signal is killed, and who appears meanwhile too`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        let script =
            #"trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ >$NEWS; while :; do sleep 1000; done' & "#
            + "echo ready >$NEWS; while :; do sleep 1000; done"
        let leader = try project.start("a", script)
        var lines = [try project.news.line(), try project.news.line()]
        lines.removeAll { $0 == "ready" }
        let escapee = try #require(Int32(lines[0]))
        project.tell("signal", "a", "TERM", "leader")
        project.tell("survivors", "a")
        #expect(try project.answer().contains(" \(leader)"))
        project.tell("kill", "a")
        #expect(try project.answer() == "exited a SIGKILL")
        #expect(try project.answer() == "empty a")
        #expect(!lives(escapee))
        project.tell("release", "a")
        #expect(try project.answer() == "released a")
        project.finish()
    }

    @Test(arguments: provenLevels) func `a killed supervisor is started again and takes everything up`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        let lasting = try project.start("a", "echo $$ >$NEWS; exec sleep 1000")
        _ = try project.news.pid()
        let ending = try project.start("b", "echo $$ >$NEWS; exec sleep 1000")
        _ = try project.news.pid()
        let keeper = project.keeper
        // While nobody listens, one of them ends.
        kill(project.supervisor, SIGSTOP)
        kill(ending, SIGTERM)
        SupervisedProject.awaitEnd(ending)
        SupervisedProject.end(project.supervisor)
        #expect(try project.answer() == "serving \(level.rawValue)")
        let adoptions = try project.adoptions()
        #expect(adoptions == ["adopted a alive \(lasting)", "adopted b exited SIGTERM"])
        #expect(project.keeper == keeper)
        project.tell("clear", "b")
        #expect(try project.answer() == "empty b")
        project.tell("kill", "a")
        #expect(try project.answer() == "exited a SIGKILL")
        #expect(try project.answer() == "empty a")
        project.finish()
    }

    @Test(arguments: provenLevels) func `a whole group gets the signal, and goodbye leaves no cgroup`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        _ = try project.start("a", "trap 'exit 4' TERM; sh -c 'echo $$ >$NEWS; exec sleep 1000' & wait")
        let child = try project.news.pid()
        project.tell("signal", "a", "TERM", "group")
        #expect(try project.answer() == "exited a exit 4")
        project.tell("clear", "a")
        #expect(try project.answer() == "empty a")
        #expect(!lives(child))
        project.tell("release", "a")
        #expect(try project.answer() == "released a")
        let group = project.controlGroup
        project.finish()
        #expect(access(group, F_OK) != 0)
    }

    @Test(.enabled(if: provenLevels.contains(.cgroup), "needs cgroups"))
    func `the cgroup made ahead may be removed by anybody`() throws {
        let project = try SupervisedProject(.cgroup)
        _ = try project.start("a", "exit 3")
        #expect(try project.answer() == "exited a exit 3")
        project.tell("clear", "a")
        #expect(try project.answer() == "empty a")
        project.tell("release", "a")
        #expect(try project.answer() == "released a")
        // That of `a` is gone, so what can be removed is the next one's, as soon as it is there.
        var (tries, isRemoved) = (0, false)
        while !isRemoved, tries < 10_000 {
            isRemoved = try removeOne(in: project.controlGroup)
            if !isRemoved { poll(nil, 0, 1) }
            tries += 1
        }
        #expect(isRemoved)
        _ = try project.start("b", "exit 5")
        #expect(try project.answer() == "exited b exit 5")
        project.finish()
    }

    private func removeOne(in path: String) throws -> Bool {
        let listing = try #require(opendir(path))
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { name in
                String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix("."), rmdir(path + "/" + name) == 0 { return true }
        }
        return false
    }

    @Test(arguments: provenLevels) func `many start and end at once`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        project.tell("storm", "200")
        #expect(try project.answer().hasPrefix("storm up"))
        #expect(try project.answer().hasPrefix("storm over"))
        project.finish()
    }

    @Test func `what the keeper holds stays open when the supervisor is killed`() throws {
        let project = try SupervisedProject(.keeper)
        let path = project.directory + "/held"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        project.tell("hold", path)
        #expect(try project.answer() == "held")
        let writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        #expect(writer >= 0)
        defer { close(writer) }
        #expect(write(writer, "kept", 4) == 4)
        SupervisedProject.end(project.supervisor)
        #expect(try project.answer() == "serving keeper")
        _ = try project.adoptions()
        let reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        var text = [UInt8](repeating: 0, count: 8)
        #expect(read(reader, &text, 8) == 4)
        project.finish()
    }

    @Test func `what is held to come back is every next supervisor's, until it is dropped`() throws {
        let project = try SupervisedProject(.keeper)
        let paths = (7...9).map { project.directory + "/returned.\($0)" }
        for (path, key) in zip(paths, 7...) {
            try #require(mkfifo(path, 0o600) == 0)
            project.tell("hold", path, "\(key)")
            #expect(try project.answer() == "held")
        }
        defer { for path in paths { unlink(path) } }
        project.tell("hold", paths[0])
        #expect(try project.answer() == "held")
        func next() throws -> Set<String> {
            SupervisedProject.end(project.supervisor)
            #expect(try project.answer() == "serving keeper")
            return Set(try project.adoptions())
        }
        let all = zip(paths, 7...).map { "returned \($1) \($0)" }
        #expect(try next() == Set(all))
        #expect(try next() == Set(all))
        project.tell("drop", "8")
        #expect(try project.answer() == "dropped")
        #expect(try next() == [all[0], all[2]])
        project.tell("drop", "7")
        #expect(try project.answer() == "dropped")
        project.tell("drop", "9")
        #expect(try project.answer() == "dropped")
        #expect(try next() == [])
        project.finish()
    }
}
