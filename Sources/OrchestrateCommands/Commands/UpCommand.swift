import ArgumentParser
import ControlAPI
import ControlClient
import StateStore

struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Bring the project up to what its manifest says, and stay with it.",
        discussion: """
            Starts what is missing, restarts what changed, stops what was removed, and touches nothing else.
            In the foreground the project ends with this command: Ctrl-C, or even kill -9, takes it down in order.
            With --lease stdin or --owner-pid it ends with an app, however that one ends.

            Exits with 1 at once when a sidecar fails for good, and with 6 at --timeout. Neither stops
            anything, except with --lease stdin and as the first process of a container, where nothing would
            be left to end it.

            Examples:
              orchestrate up
              orchestrate up -d --timeout 60s
              orchestrate up web --exit-code-from web
              orchestrate up -d --owner-pid $$ --ready-fd 3 3>ready.json
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "Only these sidecars and what they depend on.", completion: .wholeSidecars)
    var names: [String] = []

    @Flag(name: [.customShort("d"), .customLong("detach")], help: "Leave it running when this command ends.")
    var detach = false

    @Flag(help: "Check the manifest, list the stale processes a start would end, and start nothing.")
    var dryRun = false

    @Flag(help: "With -d: don't wait until it is healthy.")
    var noWait = false

    @Option(
        help: ArgumentHelp("Exit with 6 when not all is healthy after this: 30s, 5m.", valueName: "duration"),
        transform: DurationArgument.parse)
    var timeout: DurationArgument?

    @Flag(
        name: .customLong("refresh-env"),
        help: "Give sidecars this command's environment, umask and limits from their next start on.")
    var refreshEnvironment = false

    @Option(
        help: ArgumentHelp(
            "End the project when this sidecar has ended, or was stopped, and is not restarted; exit with its code.",
            valueName: "sidecar"),
        completion: .wholeSidecars)
    var exitCodeFrom: String?

    @Option(
        help: ArgumentHelp(
            "The project lives as long as this command's standard input is open: what holds the other end holds it.",
            valueName: "stdin"))
    var lease: LeaseArgument?

    @Option(
        name: .customLong("owner-pid"),
        help: ArgumentHelp("The project lives as long as this process, also without this command.", valueName: "pid"))
    var owner: Int32?

    @Option(
        name: .customLong("ready-fd"),
        help: ArgumentHelp(
            "Write a line of JSON there when all is healthy, with every port and URL, or when that failed.",
            valueName: "descriptor"))
    var readyDescriptor: Int32?

    func validate() throws {
        if noWait && !detach { throw ValidationError("--no-wait goes with -d.") }
        if exitCodeFrom != nil && detach { throw ValidationError("--exit-code-from needs the foreground, without -d.") }
        if lease != nil && detach {
            throw ValidationError("--lease stdin needs the foreground, without -d; --owner-pid doesn't.")
        }
        if lease != nil && owner != nil { throw ValidationError("Use either --lease stdin or --owner-pid.") }
        guard let readyDescriptor else { return }
        if noWait { throw ValidationError("--ready-fd waits until all is healthy; leave out --no-wait.") }
        if let obstacle = ReadyChannel.obstacle(to: readyDescriptor) {
            throw ValidationError("--ready-fd \(readyDescriptor): \(obstacle).")
        }
    }

    func run() throws {
        let ready = readyDescriptor.map(ReadyChannel.init)
        defer { ready?.finish() }
        do {
            let code = try bringUp(ready)
            ready?.say(.failed(code: code, reason: "it ended before all was healthy"))
            if code != 0 { throw CommandFailure(exitCode: code) }
        } catch let failure as CommandFailure {
            ready?.say(.failed(code: failure.exitCode, reason: Self.reason(of: failure)))
            throw failure
        } catch let error as ControlError {
            ready?.say(.failed(code: error.exitCode.rawValue, reason: error.message))
            throw error
        }
    }

    /// What was said at length to the one who called, in a sentence for who reads `--ready-fd`.
    private static func reason(of failure: CommandFailure) -> String {
        guard failure.message.isEmpty else { return failure.message }
        return failure.exitCode == ExitCode.invalidManifest.rawValue
            ? "the manifest is not valid: 'orchestrate validate' says why" : "it ended before all was healthy"
    }

    /// Answers what to exit with.
    private func bringUp(_ ready: ReadyChannel?) throws -> Int32 {
        if FirstProcess.isUs, detach {
            throw CommandFailure(
                .usage, "this is the first process here, and what it starts ends with it: leave out -d")
        }
        FirstProcess.holdSignals()
        let binding = try binding()
        let context = try ProjectContext(upWith: project, patience: .ofCommand(timeout: timeout?.value))
        if dryRun {
            try DryRun(context: context, names: names).run()
            return 0
        }
        if let notice = context.root.notice { Console.printError(notice.terminalSafe) }
        let session = try UpSession(
            context,
            options: .init(
                names: names, isDetached: detach, binding: binding, waits: !noWait,
                refreshesEnvironment: refreshEnvironment, exitCodeFrom: exitCodeFrom),
            ready: ready)
        return try session.run()
    }

    private func binding() throws -> Binding {
        if let owner { return .owner(try ClientIdentity.owner(pid: owner)) }
        guard lease != nil else { return detach ? .none : .command }
        try InputLease.check()
        return .input
    }
}

/// What a project may hang on beside a process.
enum LeaseArgument: String, ExpressibleByArgument, CaseIterable {
    case stdin
}
