import ArgumentParser
import ControlAPI
import ControlClient

struct EnvCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "env",
        abstract: "Print the environment a sidecar is started with. Secrets are shown as [redacted].",
        discussion: """
            Example:
              orchestrate env web
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "A sidecar, or an instance such as mcp/0.", completion: .sidecars)
    var name: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let context = try ProjectContext(project)
        var answer = try context.ask(Environment.self, .init(name: name))
        for index in answer.variables.indices where answer.variables[index].isSecret {
            answer.variables[index].value = "[redacted]"
        }
        AccountVariables.add(to: &answer)
        if json { return Console.print(WireFormat.json(answer, pretty: true)) }
        Console.print(answer.variables.map { "\($0.name)=\($0.value)".terminalSafe }.joined(separator: "\n"))
    }
}
