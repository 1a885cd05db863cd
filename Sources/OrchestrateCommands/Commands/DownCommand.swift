import ArgumentParser
import ControlAPI
import ControlClient
import StateStore

struct DownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Stop everything, in order.",
        discussion: """
            Dependents leave before what they depend on. Succeeds only when no process is left.
            Works with a manifest that is broken or gone.

            Ctrl-C shortens it: once more skips what is left of every grace period, a third time kills at once.

            A project keeps the ports it was given, for its next life too, until --release-ports.

            Examples:
              orchestrate down
              orchestrate down --release-ports
            """)

    @OptionGroup var project: ProjectOptions

    @Flag(help: "Give its ports back: others may have them, and the next up takes what is free.")
    var releasePorts = false

    func run() throws {
        let context = try ProjectContext(project)
        let running = try context.runningOrReturned()
        let isDown =
            running == nil && !LivingSidecars.exist(in: context.location)
            && !LivingSidecars.haveBrokenSupervisor(in: context.location)
        if isDown {
            try context.refuseElsewhere()
            Console.print("nothing of \(context.name.terminalSafe) is running")
            // Only a supervisor knows which were its ports.
            guard releasePorts, context.location.exists else { return }
        }
        let client = try running ?? context.connectOrStart().client
        let terminal = Terminal(environment: context.environment)
        let code = try DownSession(
            context: context, client: client, terminal: terminal, releasesPorts: releasePorts
        ).run()
        if code != 0 { throw CommandFailure(exitCode: code) }
        if !isDown { Console.print("nothing is left running") }
    }
}
