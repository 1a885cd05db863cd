import ArgumentParser

struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Talk to a sidecar by its standard input and output.",
        discussion: """
            What comes in goes to the sidecar, and what it prints comes out; stderr stays in its log.
            When the process ends, this does too, with its exit code.

            With 'stdio: socket' there is one process, and one client at a time. While there is none,
            the output is logged as usual. The sidecar goes on when this ends: at a terminal by Ctrl-D,
            or Ctrl-P Ctrl-Q; with a pipe after its end, once the sidecar has been quiet for --linger.

            With 'stdio: per_client' this starts a process of its own, which is given the very input
            and output of this command, and ends when this does, however it ends.

            Examples:
              orchestrate attach mcp
              echo '{"jsonrpc":"2.0","id":1,"method":"ping"}' | orchestrate attach mcp
            """)

    @OptionGroup var project: ProjectOptions

    @Option(
        help: ArgumentHelp(
            "With 'stdio: socket', after the end of a piped input: stay until nothing was printed for this long. "
                + "Default: 1s.",
            valueName: "duration"),
        transform: DurationArgument.parse)
    var linger: DurationArgument?

    @Argument(help: "A sidecar, or an instance such as mcp/0.", completion: .sidecars)
    var name: String

    func run() throws {
        let handshake = Handshake(context: try ProjectContext(project))
        let code: Int32 =
            switch try handshake.attachment(to: name, linger: linger?.value ?? .seconds(1)) {
            case .shared(let session): try session.run()
            case .own(let session): try session.run()
            }
        if code != 0 { throw CommandFailure(exitCode: code) }
    }
}
