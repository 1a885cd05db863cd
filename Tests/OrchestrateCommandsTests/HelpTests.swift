import ArgumentParser
import Testing

@testable import OrchestrateCommands

@Suite struct HelpTests {
    static let commands: [any ParsableCommand.Type] =
        [OrchestrateCommand.self] + OrchestrateCommand.configuration.subcommands.filter { $0 != SuperviseCommand.self }

    @Test(arguments: commands.indices)
    func `help reads as it should`(index: Int) {
        let command = Self.commands[index]
        let name = command.configuration.commandName ?? ""
        Golden.expect(OrchestrateCommand.helpMessage(for: command, columns: 100), is: "help-\(name)")
    }

    @Test(arguments: commands.indices)
    func `every help has an example`(index: Int) {
        let command = Self.commands[index]
        let name = command.configuration.commandName ?? ""
        #expect(command.configuration.discussion.contains("orchestrate"), "\(name)")
    }

    @Test(arguments: [
        ["up", "--no-such-flag"], ["up", "--no-wait"], ["up", "-d", "--exit-code-from", "web"], ["stop"],
        ["stop", "db", "--cascade", "--force"], ["wait", "--for", "happy"], ["wait", "--timeout", "5"], ["exec", "db"],
        ["up", "-d", "--lease", "stdin"], ["up", "--lease", "stdin", "--owner-pid", "7"], ["up", "--lease", "file"],
        ["up", "--ready-fd", "1"], ["up", "-d", "--no-wait", "--ready-fd", "3"], ["logs", "-f", "--previous"],
        ["logs", "--since", "yesterday"], ["dance"], ["completion", "tcsh"],
        ["down", "--project", ""], ["logs", "--file", ""], ["up", "-f", "-"],
    ])
    func `what is wrong with the arguments is said`(arguments: [String]) {
        do {
            _ = try OrchestrateCommand.parseAsRoot(arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect(OrchestrateCommand.exitCode(for: error).rawValue == 64)
            let name = arguments.joined(separator: " ").map { $0.isLetter || $0.isNumber ? String($0) : "-" }.joined()
            Golden.expect(OrchestrateCommand.fullMessage(for: error, columns: 100), is: "error-\(name)")
        }
    }

    @Test func `the project may be named before the command`() {
        #expect(
            LeadingOptions.moved(behindCommandIn: ["-f", "a.yaml", "logs", "-f"])
                == ["logs", "--file", "a.yaml", "-f"])
        #expect(LeadingOptions.moved(behindCommandIn: ["logs", "-f", "web"]) == ["logs", "-f", "web"])
        #expect(LeadingOptions.moved(behindCommandIn: ["-f"]) == ["-f"])
    }
}
