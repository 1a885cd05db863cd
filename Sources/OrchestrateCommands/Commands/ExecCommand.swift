import ArgumentParser
import ControlAPI
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
        let path = answer.variables.last { $0.name == "PATH" }?.value
        // The command is looked for where the sidecar would look.
        if let path { setenv("PATH", path, 1) } else { unsetenv("PATH") }
        let number = withCStrings(command) { arguments in
            withCStrings(answer.variables.map { "\($0.name)=\($0.value)" }) { environment in
                guard let file = arguments.pointee else { return ENOENT }
                execvpe(file, arguments, environment)
                return errno
            }
        }
        Console.printError(
            "orchestrate: cannot execute '\(command[0].terminalSafe)': \(String(cString: strerror(number)).lowercased())")
        // As a shell does it.
        throw CommandFailure(exitCode: number == ENOENT ? 127 : 126)
    }

    private func reason() -> String { String(cString: strerror(errno)).lowercased() }
}
