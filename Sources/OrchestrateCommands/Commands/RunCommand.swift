import ArgumentParser
import ControlAPI
import ControlClient
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

    @Option(help: ArgumentHelp("Give up waiting after this, and exit with 6: 30s, 5m.", valueName: "duration"))
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
            let applying = Applying(
                context: try ProjectContext(upWith: project, patience: context.patience), names: [task],
                refreshesEnvironment: false, attachment: .detached)
            let client = try applying.run().client
            session = try GoalSession(context, client: client)
            instances = [task]
        }
        let code = try session.exitCode(ofTask: instances)
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
