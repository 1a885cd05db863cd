import ArgumentParser
import ControlAPI
import StateStore
import Supervision

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until sidecars are healthy, stopped or completed.",
        discussion: """
            Without names, all of them. Exits with 1 at once when one of them can't get there by itself.

            Examples:
              orchestrate wait web --for healthy --timeout 30s
              orchestrate wait migrate --for completed
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "Sidecars, or instances such as mcp/0.", completion: .sidecars)
    var names: [String] = []

    @Option(name: .customLong("for"), help: "healthy, stopped or completed.")
    var goal: Goal = .healthy

    @Option(
        help: ArgumentHelp("Give up after this, and exit with 6: 30s, 5m.", valueName: "duration"),
        transform: DurationArgument.parse)
    var timeout: DurationArgument?

    func run() throws {
        let context = try ProjectContext(project, patience: .ofCommand(timeout: timeout?.value))
        do {
            let session = try GoalSession(context)
            try session.wait(for: goal, of: names)
        } catch let failure as CommandFailure
            where goal == .stopped && failure.exitCode == ExitCode.noSupervisor.rawValue
        {
            // What is not running is stopped, and what is not there at all is a slip.
            let access = LogAccess(context)
            guard context.location.exists || !access.sources.isEmpty else { throw failure }
            for name in names where access.sources(named: name).isEmpty {
                throw context.unknownSidecar(name, among: access.sidecars)
            }
        }
    }
}

extension Goal: ExpressibleByArgument {}
