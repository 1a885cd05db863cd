import CProcess
import Glibc
import Supervision
import Testing

/// Losing the supervisor, the keeper, or both.
@Suite(.serialized) struct SurvivalTests {
    static let levels: [Containment.Level] = KeptProcessTests.provenLevels

    private func lives(_ pid: Int32) -> Bool {
        var facts = orch_process_facts()
        return orch_process_look(pid, &facts) == 0 && facts.state != CChar(UInt8(ascii: "Z"))
    }

    @Test(arguments: levels) func `both killed, the next ones adopt by proven identity`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        let leader = try project.start("a", "setsid sh -c 'echo $$ >$NEWS; exec sleep 1000' & exec sleep 1000")
        let escapee = try project.news.pid()
        let other = try project.start("b", "echo $$ >$NEWS; exec sleep 1000")
        _ = try project.news.pid()
        let (keeper, supervisor) = (project.keeper, project.supervisor)
        kill(supervisor, SIGSTOP)
        SupervisedProject.end(keeper)
        SupervisedProject.end(supervisor)
        SupervisedProject.end(other, isReaped: true)
        #expect(lives(leader))
        let adopted = try project.launch(level)
        #expect(adopted == ["adopted a alive \(leader)", "adopted b exited exit status unknown"])
        #expect(project.keeper != keeper)
        project.tell("clear", "b")
        #expect(try project.answer() == "empty b")
        project.tell("signal", "a", "TERM", "leader")
        #expect(try project.answer().hasPrefix("exited a "))
        #expect(lives(escapee))
        project.tell("kill", "a")
        #expect(try project.answer() == "empty a")
        #expect(!lives(escapee))
        for name in ["a", "b"] {
            project.tell("release", name)
            #expect(try project.answer() == "released \(name)")
        }
        // The slots are good for new ones, which are the new keeper's.
        _ = try project.start("c", "exit 5")
        #expect(try project.answer() == "exited c exit 5")
        project.finish()
    }

    @Test(arguments: levels) func `without the keeper the supervisor carries on`(level: Containment.Level) throws {
        let project = try SupervisedProject(level)
        _ = try project.start("a", "setsid sh -c 'echo $$ >$NEWS; exec sleep 1000' & exec sleep 1000")
        let escapee = try project.news.pid()
        SupervisedProject.end(project.keeper)
        #expect(try project.answer() == "keeper lost")
        project.tell("kill", "a")
        #expect(try project.answer().hasPrefix("exited a "))
        #expect(try project.answer() == "empty a")
        #expect(!lives(escapee))
        _ = try project.start("b", "exit 9")
        #expect(try project.answer() == "exited b exit 9")
        project.tell("clear", "b", "TERM")
        #expect(try project.answer() == "empty b")
        project.tell("release", "b")
        #expect(try project.answer() == "released b")
    }

    @Test(arguments: levels) func `what was started without a keeper is a child of the one that the supervisor becomes`(
        level: Containment.Level
    ) throws {
        let project = try SupervisedProject(level)
        SupervisedProject.end(project.keeper)
        #expect(try project.answer() == "keeper lost")
        let pid = try project.start("a", "exec sleep 1000")
        project.tell("succeed")
        #expect(try project.answer().hasPrefix("serving "))
        #expect(try project.adoptions() == ["adopted a alive \(pid)"])
        project.tell("signal", "a", "TERM", "leader")
        #expect(try project.answer() == "exited a SIGTERM")
        project.tell("clear", "a")
        #expect(try project.answer() == "empty a")
        project.tell("release", "a")
        #expect(try project.answer() == "released a")
        // Its slot is good for the next one, whose end is told; by then the first is reaped.
        _ = try project.start("b", "exit 7")
        #expect(try project.answer() == "exited b exit 7")
        #expect(kill(pid, 0) != 0)
        project.finish()
    }

    @Test func `a supervisor that keeps dying is called broken`() throws {
        let project = try SupervisedProject(.keeper)
        // With nothing to keep, the keeper would end.
        _ = try project.start("a", "exec sleep 1000")
        for _ in 1...4 {
            SupervisedProject.end(project.supervisor)
            #expect(try project.answer() == "serving keeper")
            _ = try project.adoptions()
        }
        #expect(project.supervisorState == ORCH_SUPERVISOR_RUNNING)
        let keeper = project.keeper
        SupervisedProject.end(project.supervisor)
        // The next attempt is seconds away, so this state lasts.
        project.awaitSupervisorState(ORCH_SUPERVISOR_BROKEN)
        #expect(lives(keeper))
    }

    @Test func `a keeper with nothing to keep ends with a supervisor that keeps dying`() throws {
        try withKeeperPlace { directory, log in
            // The second finds what the first left, and is as patient.
            for _ in 1...2 {
                var launcher = KeeperLauncher(
                    keeperPath: SupervisedProject.keeperProgram, stateDirectory: directory, programPath: "/bin/sh",
                    arguments: ["-c", "kill -SEGV $$"], environment: [], logDescriptor: log)
                launcher.isGuarded = true
                let channel = Channel(descriptor: try launcher.launch())
                let line = try channel.line()
                #expect(
                    line.hasPrefix("error the supervisor ended 5 times before it was ready (the last time by SIGSEGV)"))
                #expect(line.hasSuffix(" is in \(directory)/supervisor.log"))
                // Its end is the keeper's.
                #expect(throws: Channel.Silence.self) { try channel.line() }
            }
        }
    }

    @Test func `a second keeper of the same project is refused`() throws {
        let project = try SupervisedProject(.keeper)
        let launcher = KeeperLauncher(
            keeperPath: SupervisedProject.keeperProgram, stateDirectory: project.directory,
            programPath: SupervisedProject.program("process-host-fixture"), arguments: [project.directory, "best"],
            environment: [], logDescriptor: project.log)
        let channel = Channel(descriptor: try launcher.launch())
        #expect(try channel.line() == "conflict another supervisor of this project holds the lock")
    }

    @Test func `a supervisor that gives up at once is not tried again`() throws {
        try withKeeperPlace { directory, log in
            let launcher = KeeperLauncher(
                keeperPath: SupervisedProject.keeperProgram, stateDirectory: directory,
                programPath: "/bin/false", arguments: [], environment: [], logDescriptor: log)
            let channel = Channel(descriptor: try launcher.launch())
            #expect(throws: Channel.Silence.self) { try channel.line() }
        }
    }

    /// For a keeper whose supervisor does not come up: nothing but files is left of it.
    private func withKeeperPlace(_ body: (_ directory: String, _ log: Int32) throws -> Void) throws {
        let directory = try SupervisedProject.makeDirectory()
        defer {
            for name in ["spawns", "lock", "log"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        let log = open(directory + "/log", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(log) }
        try body(directory, log)
    }
}
