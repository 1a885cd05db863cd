import ArgumentParser
import ControlAPI
import ControlClient

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start sidecars, and what they depend on.",
        discussion: """
            Waits until they are healthy or completed. One that failed gets a clean restart budget.

            Example:
              orchestrate start web
            """)

    @OptionGroup var project: ProjectOptions
    @OptionGroup var waiting: WaitOptions

    @Argument(help: "Sidecars, or instances such as mcp/0.", completion: .sidecars)
    var names: [String]

    func run() throws {
        let context = try ProjectContext(project, patience: .ofCommand(timeout: waiting.timeout?.value))
        let session = try GoalSession(context)
        let touched = try ask(session, in: context)
        guard !waiting.noWait else { return }
        try session.wait(for: .healthy, of: touched.all(named: names))
    }

    private func ask(_ session: GoalSession, in context: ProjectContext) throws -> Touched {
        do {
            return try session.ask(Start.self, .init(names: names))
        } catch let error as ControlError where error.code == .unknownSidecar {
            // What was added to the manifest since is not brought up by starting it.
            guard let way = context.wayUp(for: error.names) else { throw error }
            throw CommandFailure(.unknownSidecar, error.message + "\n" + way)
        }
    }
}

/// For commands that wait for what they asked for.
struct WaitOptions: ParsableArguments {
    @Flag(help: "Don't wait until it is done.")
    var noWait = false

    @Option(
        help: ArgumentHelp("Give up waiting after this, and exit with 6: 30s, 5m.", valueName: "duration"),
        transform: DurationArgument.parse)
    var timeout: DurationArgument?
}
