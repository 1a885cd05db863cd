import ArgumentParser

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a completion script for a shell.",
        discussion: """
            Examples:
              source <(orchestrate completion bash)
              orchestrate completion fish > ~/.config/fish/completions/orchestrate.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() {
        let script =
            switch shell {
            case .bash: BashCompletion.script
            case .zsh: OrchestrateCommand.completionScript(for: .zsh)
            case .fish: OrchestrateCommand.completionScript(for: .fish)
            }
        Console.print(script)
    }
}
