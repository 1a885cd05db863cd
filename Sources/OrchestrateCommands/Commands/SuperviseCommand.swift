import ControlAPI
import StateStore
import SupervisorDaemon

/// What the keeper starts, and nobody types: read by hand, because the parser of people's commands takes longer to
/// describe them all to itself than the supervisor takes to begin.
enum SuperviseCommand {
    static let name = "supervise"

    /// Answers what to exit with.
    static func run(_ arguments: ArraySlice<String>) -> Int32 {
        var values: [String: String] = [:]
        var rest = arguments
        while let option = rest.popFirst() {
            if let equals = option.firstIndex(of: "=") {
                values[String(option[..<equals])] = String(option[equals...].dropFirst())
            } else if let value = rest.popFirst() {
                values[option] = value
            }
        }
        guard let directory = values["--state-directory"], let identity = values["--identity"],
            let descriptors = values["--keeper-descriptors"]
        else {
            Console.printError("orchestrate supervise is started by orchestrate-keeper, not by hand")
            return ExitCode.usage.rawValue
        }
        let location = ProjectLocation(identity: identity, stateDirectory: directory)
        return SupervisorDaemon.run(location: location, descriptors: descriptors)
    }
}
