import ArgumentParser
import ControlAPI
import ControlClient

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Restart sidecars, and wait until they are healthy again.",
        discussion: """
            The old life is over, with all its processes, before the new one starts. Each gets a clean restart budget.
            What they need and does not run is started.

            Example:
              orchestrate restart web
            """)

    @OptionGroup var project: ProjectOptions
    @OptionGroup var waiting: WaitOptions

    @Argument(help: "Sidecars, or instances such as mcp/0.", completion: .sidecars)
    var names: [String]

    func run() throws {
        let context = try ProjectContext(project, patience: .ofCommand(timeout: waiting.timeout?.value))
        let session = try GoalSession(context, noting: [])
        let touched = try session.ask(Restart.self, .init(names: names)) {
            let rest = names.filter { !session.isInAnotherLife($0) }
            return rest.isEmpty ? nil : .init(names: rest)
        }
        let all = touched?.all(named: names) ?? names
        let others = all.dropFirst(names.count)
        let starts = others.isEmpty ? "" : "; starts \(others.joined(separator: ", "))"
        Console.print("restarts \(names.joined(separator: ", "))\(starts)".terminalSafe)
        guard !waiting.noWait else { return }
        try session.wait(for: .healthy, of: all, countsNewLivesOnly: true)
    }
}
