package import ArgumentParser

package struct OrchestrateCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(commandName: "orchestrate")
    package init() {}

    /// Reads the arguments of this process and does what they say. The only way in for `main`.
    package static func run() { main() }
}
