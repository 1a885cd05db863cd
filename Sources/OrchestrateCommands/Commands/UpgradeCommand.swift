import ArgumentParser
import CProcess
import ControlAPI
import ControlClient
import Glibc
import StateStore

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Let this program take over the supervision; sidecars run on.",
        discussion: """
            Keeper, guard and supervisor of the project become those of the program you run this with. Sidecars keep
            their pids, connections and logs. Also the way back to an earlier version, where that one can read what the
            later one wrote.

            Example:
              sudo make install && orchestrate upgrade
            """)

    @OptionGroup var project: ProjectOptions

    func run() throws {
        let context = try ProjectContext(project)
        guard let client = try context.runningOrReturned() else {
            guard !LivingSidecars.haveBrokenSupervisor(in: context.location) else {
                throw CommandFailure(.failed, context.brokenSupervisor)
            }
            try context.refuseElsewhere()
            throw CommandFailure(
                .noSupervisor, "nothing of \(context.name) is running; the next 'orchestrate up' uses this program")
        }
        let before = try client.call(Hello.self, .init()).pid
        try hand(over: client)
        let report = try awaitSuccessor(of: before, context)
        let successor = report.supervisorPID.flatMap { ProgramFile("/proc/\($0)/exe") }
        guard let successor, successor == ProgramFile("/proc/self/exe") else {
            throw CommandFailure(
                .failed,
                """
                the keeper could not become the new one, and the earlier version goes on
                See \(context.location.supervisorLogPath)
                """)
        }
        Console.print("\(report.project.terminalSafe) goes on with \(Version.text)")
    }

    private func hand(over client: ControlClient) throws {
        let program = try SupervisorStarter.programPath()
        let keeper = try SupervisorStarter.keeperPath(beside: program)
        try KeeperCheck.run(keeper)
        do {
            _ = try client.call(
                Upgrade.self,
                .init(
                    program: program, keeper: keeper,
                    versions: Upgrade.Versions(
                        records: ORCH_RECORDS_VERSION, handover: ORCH_HANDOVER_VERSION,
                        store: StateStore.schemaVersion)))
        } catch {
            switch error.code {
            // It ended before its answer was out.
            case .noSupervisor: break
            case .unknownOperation:
                throw CommandFailure(
                    .conflict, "the running version can't be upgraded in place; take it down, and up with this one")
            case _: throw error
            }
        }
    }

    private func awaitSuccessor(of pid: Int32, _ context: ProjectContext) throws -> ProjectReport {
        let deadline = ContinuousClock.now + .seconds(30)
        while deadline > .now {
            if let client = try? context.running(), let report = try? client.call(Status.self, .init()),
                report.supervisorPID != pid
            {
                return report
            }
            // Nobody tells when a socket is there again.
            poll(nil, 0, 5)
        }
        throw CommandFailure(
            .timeout, "no supervisor answers after the upgrade; see \(context.location.supervisorLogPath)")
    }
}

/// Which file a program is, whatever its path says by now.
private struct ProgramFile: Equatable {
    private var device: dev_t = 0
    private var inode: ino_t = 0

    init?(_ path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        device = facts.st_dev
        inode = facts.st_ino
    }
}

/// Asks a keeper's program what it is: the running one is about to become it, and there is no way back.
private enum KeeperCheck {
    static func run(_ path: String) throws {
        let expected =
            "records \(ORCH_RECORDS_VERSION).\(ORCH_RECORDS_REVISION) protocol \(ORCH_PROTOCOL_VERSION) handover "
            + "\(ORCH_HANDOVER_VERSION)\n"
        let answer = try output(of: path)
        guard answer == expected else {
            throw CommandFailure(.failed, "\(path) is not the keeper of this program; install both together")
        }
    }

    private static func output(of path: String) throws -> String {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw CommandFailure(.failed, "cannot make a pipe") }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        var pid: pid_t = 0
        let failure = withCStrings([path, "--versions"]) { posix_spawn(&pid, path, &actions, nil, $0, environ) }
        close(ends[1])
        guard failure == 0 else {
            throw CommandFailure(.failed, "cannot execute \(path): \(String(cString: strerror(failure)).lowercased())")
        }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(ends[0], &buffer, buffer.count)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
