import ArgumentParser
import ControlAPI
import ControlClient

struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Bring the project up to what its manifest says, and stay with it.",
        discussion: """
            Starts what is missing, restarts what changed, stops what was removed, and touches nothing else.
            In the foreground the project ends with this command: Ctrl-C, or even kill -9, takes it down in order.

            Exits with 1 at once when a sidecar fails for good, and with 6 at --timeout; neither stops anything.

            Examples:
              orchestrate up
              orchestrate up -d --timeout 60s
              orchestrate up web --exit-code-from web
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "Only these sidecars and what they depend on.")
    var names: [String] = []

    @Flag(name: [.customShort("d"), .customLong("detach")], help: "Leave it running when this command ends.")
    var detach = false

    @Flag(help: "Check the manifest, list the stale processes a start would end, and start nothing.")
    var dryRun = false

    @Flag(help: "With -d: don't wait until it is healthy.")
    var noWait = false

    @Option(help: ArgumentHelp("Exit with 6 when not all is healthy after this: 30s, 5m.", valueName: "duration"))
    var timeout: DurationArgument?

    @Flag(name: .customLong("refresh-env"), help: "Give sidecars this command's environment from their next start on.")
    var refreshEnvironment = false

    @Option(
        help: ArgumentHelp("End the project when this sidecar ends, and exit with its code.", valueName: "sidecar"))
    var exitCodeFrom: String?

    func validate() throws {
        if noWait && !detach { throw ValidationError("--no-wait goes with -d.") }
        if exitCodeFrom != nil && detach { throw ValidationError("--exit-code-from needs the foreground, without -d.") }
    }

    func run() throws {
        let context = try ProjectContext(upWith: project)
        if dryRun { return try DryRun(context: context, names: names).run() }
        let session = try UpSession(
            context,
            options: .init(
                names: names, isDetached: detach, waits: !noWait, timeout: timeout?.value,
                refreshesEnvironment: refreshEnvironment, exitCodeFrom: exitCodeFrom))
        let code = try session.run()
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
