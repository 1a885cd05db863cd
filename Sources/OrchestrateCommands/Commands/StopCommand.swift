import ArgumentParser
import ControlAPI
import ControlClient

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop sidecars; the rest stays.",
        discussion: """
            Refuses while running sidecars need one of them, and lists those, unless told what to do with them.

            Examples:
              orchestrate stop web
              orchestrate stop db --cascade
            """)

    @OptionGroup var project: ProjectOptions
    @OptionGroup var waiting: WaitOptions

    @Argument(help: "Sidecars, or instances such as mcp/0.", completion: .sidecars)
    var names: [String]

    @Flag(help: "Stop those that depend on them first.")
    var cascade = false

    @Flag(help: "Leave those that depend on them running.")
    var force = false

    func validate() throws {
        if cascade && force { throw ValidationError("--cascade and --force exclude each other.") }
    }

    func run() throws {
        let context = try ProjectContext(project, patience: .ofCommand(timeout: waiting.timeout?.value))
        let session = try GoalSession(context)
        let touched = try ask(session, cascade ? .cascade : force ? .leave : .refuse)
        guard !waiting.noWait else { return }
        try session.wait(for: .stopped, of: touched.all(named: names), isAsked: true)
    }

    private func ask(_ session: GoalSession, _ dependents: Stop.Dependents) throws -> Touched {
        do {
            return try session.ask(Stop.self, .init(names: names, dependents: dependents))
        } catch let error as ControlError where error.code == .dependentsRunning {
            let list = error.names.joined(separator: ", ")
            throw CommandFailure(
                .conflict,
                """
                cannot stop \(names.joined(separator: ", ")): \(list) \(error.names.count == 1 ? "runs and needs" : "run and need") it
                Stop what needs it too with --cascade, or leave that running with --force.
                """)
        }
    }
}
