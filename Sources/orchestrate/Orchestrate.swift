import OrchestrateCommands

@main
enum Orchestrate {
    static func main() { OrchestrateCommand.run() }
}
