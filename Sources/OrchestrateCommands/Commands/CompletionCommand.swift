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

    /// The parser's script knows no words behind `help`.
    private static var fishTopics: String {
        let names = OrchestrateCommand.names.joined(separator: " ")
        return "\ncomplete -c 'orchestrate' -n '__fish_seen_subcommand_from help' -fa '\(names)'\n"
    }

    func run() {
        let script =
            switch shell {
            case .bash: BashCompletion.script
            case .zsh: OrchestrateCommand.completionScript(for: .zsh)
            case .fish: OrchestrateCommand.completionScript(for: .fish) + Self.fishTopics
            }
        Console.print(script)
    }
}
