import ArgumentParser
import ControlAPI
import ControlClient
import ManifestLoading
import Planning
import SidecarModel

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a task now, whatever it did before.",
        discussion: """
            Starts what it depends on, waits for its end, and exits with its code, or 128 plus the signal.

            Example:
              orchestrate run migrate
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "The task.", completion: .tasks)
    var task: String

    @Option(
        help: ArgumentHelp("Give up waiting after this, and exit with 6: 30s, 5m.", valueName: "duration"),
        transform: DurationArgument.parse)
    var timeout: DurationArgument?

    func run() throws {
        let context = try ProjectContext(project, patience: .ofCommand(timeout: timeout?.value))
        let instances: [String]
        let session: GoalSession
        if try context.runningOrReturned() != nil || LivingSidecars.exist(in: context.location) {
            session = try GoalSession(context, noting: [task])
            instances =
                try session.ask(RunTask.self, .init(name: task)) {
                    session.isInAnotherLife(task) ? nil : .init(name: task)
                }?.instances ?? session.instances(named: task)
        } else {
            // Nothing is up: the task and what it needs are.
            let upContext = try ProjectContext(upWith: project, patience: context.patience)
            try refuseService(upContext)
            let applying = Applying(
                context: upContext, names: [task], refreshesEnvironment: false, attachment: .detached)
            let client = try applying.run().client
            session = try GoalSession(context, client: client)
            instances = [task]
        }
        let code = try session.exitCode(ofTask: instances)
        if code != 0 { throw CommandFailure(exitCode: code) }
    }

    /// Before anything is started for it: nobody would wait for its end. What is wrong with the manifest is said by who
    /// takes it up.
    private func refuseService(_ context: ProjectContext) throws {
        let loaded = ProjectContext.declared(in: context.manifest ?? "", environment: context.environment)
        let meant = loaded.plan?.sidecars.first { spec in
            spec.name == task || (0..<spec.replicas).contains { task == "\(spec.name)/\($0)" }
        }
        guard let meant, meant.kind != .task else { return }
        throw CommandFailure(
            .failed, RunTask.refusal(of: task, use: "orchestrate up\(context.selector) \(meant.name)"))
    }
}
