import ArgumentParser
import ControlAPI
import CProcess
import ControlClient
import Glibc

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command in a sidecar's environment and directory.",
        discussion: """
            The command takes this one's place: its input, output and exit code are its own.

            Example:
              orchestrate exec db -- psql -c 'select 1'
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0.")
    var name: String

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("Give the command after --, as in: orchestrate exec db -- env") }
    }

    func run() throws {
        let context = try ProjectContext(project)
        let answer = try context.connect().call(Environment.self, .init(name: name))
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

    private func reason() -> String { String(cString: strerror(errno)).lowercased() }
}
