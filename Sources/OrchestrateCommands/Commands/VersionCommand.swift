import ArgumentParser
import ControlAPI

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version.",
        discussion: """
            Example:
              orchestrate version --json
            """)

    @Flag(help: "Print JSON.")
    var json = false

    func run() {
        guard json else { return Console.print(Version.text) }
        Console.print(WireFormat.json(["version": Version.number, "control": "\(ControlVersion.current)"]))
    }
}
