import ArgumentParser
import ControlAPI
import CProcess
import ControlClient
import Glibc
import SidecarModel
import Supervision

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command in a sidecar's environment and directory.",
        discussion: """
            The command takes this one's place: its input, output and exit code are its own.
            It runs as the sidecar's user and gets the sidecar's secrets.

            Example:
              orchestrate exec db -- psql -c 'select 1'
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0.", completion: .sidecars)
    var name: String

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("Give the command after --, as in: orchestrate exec db -- env") }
    }

    func run() throws {
        let context = try ProjectContext(project)
        var answer = try context.ask(Environment.self, .init(name: name, withSecrets: true))
        if let identity = answer.identity { try take(identity, &answer.variables) }
        guard chdir(answer.workingDirectory) == 0 else {
            throw CommandFailure(.failed, "cannot change to \(answer.workingDirectory): \(reason())")
        }
        let number = execute(answer)
        Console.printError(
            "orchestrate: cannot execute '\(command[0].terminalSafe)': \(String(cString: strerror(number)).lowercased())"
        )
        // As a shell does it.
        throw CommandFailure(exitCode: number == ENOENT ? 127 : 126)
    }

    /// Only comes back when it can't. The command is looked for where the sidecar would look.
    private func execute(_ answer: Environment.Answer) -> Int32 {
        let path = answer.variables.last { $0.name == "PATH" }?.value ?? "/usr/bin:/bin"
        var file = [CChar](repeating: 0, count: 4096)
        let found = orch_find_executable(command[0], path, answer.workingDirectory, &file, file.count)
        guard found == 0 else { return -found }
        return withCStrings(command) { arguments in
            withCStrings(answer.variables.map { "\($0.name)=\($0.value)" }) { environment in
                execve(file, arguments, environment)
                return errno
            }
        }
    }

    /// As the sidecar runs, as far as whoever calls this may. Who can't be that is nobody else instead.
    private func take(_ identity: Environment.Identity, _ variables: inout [Environment.Variable]) throws {
        do throws(SpawnFailure) {
            let taken = try identity.ofProcess.taken()
            variables += taken.variables.map { .init(name: $0.name, value: $0.value) }
            if let groups = taken.groups, setgroups(groups.count, groups) != 0 { throw failure("take its groups") }
            if let group = taken.group, setgid(group) != 0 { throw failure("change to its group") }
            if let user = taken.user, setuid(user) != 0 { throw failure("change to its user") }
        } catch {
            let who = identity.user.map { "user '\($0)'" } ?? "group '\(identity.group ?? "")'"
            throw CommandFailure(.failed, "cannot become the \(who) of '\(name)': \(error.message)")
        }
    }

    private func failure(_ what: String) -> SpawnFailure {
        SpawnFailure(step: .identity, message: "cannot \(what): \(reason())", errno: errno)
    }

    private func reason() -> String { String(cString: strerror(errno)).lowercased() }
}
