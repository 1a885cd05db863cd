import ArgumentParser
import ControlAPI
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

    @Argument(help: "The task.")
    var task: String

    @Option(help: ArgumentHelp("Give up waiting after this, and exit with 6: 30s, 5m.", valueName: "duration"))
    var timeout: DurationArgument?

    func run() throws {
        let context = try ProjectContext(project)
        let session = try GoalSession(context)
        let instances = try session.client.call(RunTask.self, .init(name: task)).instances
        do {
            try session.wait(for: .completed, of: instances, timeout: timeout?.value, countsNewLivesOnly: true)
        } catch let failure as CommandFailure where failure.exitCode == CommandFailure.Code.failed.rawValue {
            let code = try session.exitCode(of: instances)
            throw code == 0 ? failure : CommandFailure(exitCode: code)
        }
        let code = try session.exitCode(of: instances)
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
