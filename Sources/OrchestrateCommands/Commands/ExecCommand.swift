import ArgumentParser
import ControlAPI
import CProcess
import ControlClient
import Glibc
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
        AccountVariables.add(to: &answer)
        if let identity = answer.identity { try take(identity) }
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

    /// As the sidecar runs, as far as whoever calls this may.
    private func take(_ identity: Environment.Identity) throws {
        do throws(SystemError) {
            let account = try identity.user.map { name throws(SystemError) in try Account.find(name) } ?? nil
            let group = try identity.group.map { name throws(SystemError) in try Account.findGroup(name) } ?? nil
            let user = account?.user ?? identity.user.flatMap { UInt32($0) }
            guard user ?? geteuid() != geteuid() || group ?? getegid() != getegid() else { return }
            if let wanted = group ?? account?.group {
                let groups = user == nil ? nil : account?.groups(with: wanted) ?? [wanted]
                if let groups, setgroups(groups.count, groups) != 0 { throw .last("setgroups") }
                guard setgid(wanted) == 0 else { throw .last("setgid") }
            }
            if let user, setuid(user) != 0 { throw .last("setuid") }
        } catch {
            throw CommandFailure(
                .failed, "cannot become the user '\(identity.user ?? "")' of '\(name)': \(error.message)")
        }
    }

    private func reason() -> String { String(cString: strerror(errno)).lowercased() }
}
