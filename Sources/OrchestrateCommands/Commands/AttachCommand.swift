import ArgumentParser

struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Talk to a sidecar by its standard input and output.",
        discussion: """
            For sidecars with 'stdio: socket'. What comes in goes to the sidecar, and what it prints
            comes out; stderr stays in its log. One client at a time. While there is none, the output
            is logged as usual.

            The sidecar goes on when this ends: at a terminal by Ctrl-D, or Ctrl-P Ctrl-Q; with a pipe
            after its end, once the sidecar has been quiet for --linger. When the sidecar ends, this
            does too, with its exit code.

            Examples:
              orchestrate attach mcp
              echo '{"jsonrpc":"2.0","id":1,"method":"ping"}' | orchestrate attach mcp
            """)

    @OptionGroup var project: ProjectOptions

    @Option(
        help: ArgumentHelp(
            "After the end of a piped input, stay until nothing was printed for this long. Default: 1s.",
            valueName: "duration"))
    var linger: DurationArgument?

    @Argument(help: "A sidecar, or an instance such as mcp/0.")
    var name: String

    func run() throws {
        let session = try AttachSession(ProjectContext(project), name: name, linger: linger?.value ?? .seconds(1))
        let code = try session.run()
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
