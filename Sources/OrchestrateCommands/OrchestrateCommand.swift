package import ArgumentParser
import ControlAPI
import Glibc

package struct OrchestrateCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "orchestrate",
        abstract: "Starts, watches and ends the sidecars of a project, in the order they need.",
        discussion: """
            Reads sidecars.yaml in this directory or the nearest one above it.

              orchestrate init      write a first sidecars.yaml
              orchestrate up        bring it up and stay with it; Ctrl-C takes it down
              orchestrate up -d     bring it up and leave it running
              orchestrate status    see how it does
              orchestrate down      take it down
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Project",
                subcommands: [UpCommand.self, DownCommand.self, StatusCommand.self, LsCommand.self]),
            CommandGroup(
                name: "Sidecars",
                subcommands: [
                    StartCommand.self, StopCommand.self, RestartCommand.self, RunCommand.self, WaitCommand.self,
                ]),
            CommandGroup(
                name: "Looking closer",
                subcommands: [
                    LogsCommand.self, WhyCommand.self, ReportCommand.self, EventsCommand.self, PortCommand.self,
                    EnvCommand.self, ExecCommand.self, AttachCommand.self,
                ]),
            CommandGroup(
                name: "Manifest", subcommands: [InitCommand.self, ValidateCommand.self, PlanCommand.self]),
            CommandGroup(
                name: "This program",
                subcommands: [
                    DoctorCommand.self, VersionCommand.self, UpgradeCommand.self, CompletionCommand.self,
                ]),
        ])

    package init() {}

    /// Of all commands that are offered.
    static var names: [String] {
        configuration.groupedSubcommands.flatMap(\.subcommands).compactMap { $0.configuration.commandName }
    }

    /// Reads the arguments of this process and does what they say. The only way in for `main`.
    package static func run() {
        StandardDescriptors.occupy()
        SignalWatch.unblockInherited()
        // Nor are there arguments without it.
        guard access("/proc/self", F_OK) == 0 else {
            Console.printError(
                "orchestrate: /proc is not mounted here, and without it no process can be looked at; "
                    + "mount it: mount -t proc proc /proc")
            Glibc.exit(ExitCode.failed.rawValue)
        }
        let given = CommandLine.arguments.dropFirst()
        if given.first == SuperviseCommand.name { Glibc.exit(SuperviseCommand.run(given.dropFirst())) }
        do {
            let arguments = LeadingOptions.moved(behindCommandIn: Array(given))
            var command = try parsed(arguments)
            try command.run()
            if let reason = Console.lostOutput { throw CommandFailure(.failed, "cannot write the output: \(reason)") }
        } catch let failure as CommandFailure {
            if !failure.message.isEmpty { Console.printError("orchestrate: \(failure.message.terminalSafeLines)") }
            Glibc.exit(failure.exitCode)
        } catch let error as ControlError {
            Console.printError("orchestrate: \(error.message.terminalSafeLines)")
            Glibc.exit(error.exitCode.rawValue)
        } catch  where exitCode(for: error).isSuccess {
            // Help, which is output like any other.
            Console.write(fullMessage(for: error).withFinalNewline)
            guard let reason = Console.lostOutput else { Glibc.exit(0) }
            Console.printError("orchestrate: cannot write the output: \(reason)")
            Glibc.exit(ExitCode.failed.rawValue)
        } catch {
            exit(withError: error)
        }
    }

    /// To describe all commands to the parser takes longer than many a command: it is told of the one that is named. What
    /// that one does not take as it stands (a wish for help, a mistake) is answered by the whole.
    private static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
        let all = configuration.groupedSubcommands.flatMap(\.subcommands)
        if arguments.first == "help", let topic = arguments.dropFirst().first, !topic.hasPrefix("-"), topic != "help",
            !all.contains(where: { $0.configuration.commandName == topic })
        {
            // The parser would describe the whole, as if that had been asked for.
            return try parseAsRoot([topic])
        }
        guard let name = arguments.first, !name.hasPrefix("-"), name != "help" else {
            return try parseAsRoot(arguments)
        }
        guard let named = all.first(where: { $0.configuration.commandName == name }) else {
            // What follows may be a wish for help, which would hide that there is no such command.
            return try parseAsRoot([name])
        }
        guard let command = try? named.parseAsRoot(Array(arguments.dropFirst())), type(of: command) == named
        else { return try parseAsRoot(arguments) }
        return command
    }
}

extension String {
    /// Sentences of several lines keep their line breaks; nothing else that steers a terminal stays.
    var terminalSafeLines: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { String($0).terminalSafe }
            .joined(separator: "\n")
    }
}

/// Of this program.
enum Version {
    static let number = ProgramVersion.current
    static var text: String { "orchestrate \(number) (control protocol \(ControlVersion.current))" }
}
