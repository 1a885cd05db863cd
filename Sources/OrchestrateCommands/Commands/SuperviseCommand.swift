import ArgumentParser
import StateStore
import SupervisorDaemon

/// What the keeper starts. Not for people.
struct SuperviseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise", abstract: "Supervise a project; started by orchestrate-keeper.", shouldDisplay: false)

    @Option var stateDirectory: String
    @Option var identity: String
    @Option var keeperDescriptors: String

    func run() throws {
        let location = ProjectLocation(identity: identity, stateDirectory: stateDirectory)
        let code = SupervisorDaemon.run(location: location, descriptors: keeperDescriptors)
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
