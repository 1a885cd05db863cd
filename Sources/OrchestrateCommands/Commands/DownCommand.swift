import ArgumentParser
import ControlAPI
import ControlClient

struct DownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Stop everything, in order.",
        discussion: """
            Dependents leave before what they depend on. Succeeds only when no process is left.
            Works with a manifest that is broken or gone.

            Ctrl-C shortens it: once more skips what is left of every grace period, a third time kills at once.

            Example:
              orchestrate down
            """)

    @OptionGroup var project: ProjectOptions

    func run() throws {
        let context = try ProjectContext(project)
        let running = try context.running()
        if running == nil, !LivingSidecars.exist(in: context.location) {
            try context.refuseElsewhere()
            return Console.print("nothing of \(context.name.terminalSafe) is running")
        }
        let client = try running ?? context.connectOrStart().client
        let terminal = Terminal(environment: context.environment)
        let code = try DownSession(context: context, client: client, terminal: terminal).run()
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
