import ArgumentParser
import DiagnosticRendering
import Glibc
import ManifestLoading
import Planning

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show in which order things start, and what waits for what. Touches nothing.",
        discussion: """
            Examples:
              orchestrate plan
              orchestrate plan --format dot | dot -Tsvg > plan.svg
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, dot, mermaid }

    @Argument(help: "The manifest, or - for standard input.", completion: .file(extensions: ["yaml", "yml"]))
    var path: String?

    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("The manifest; the same as the argument.", valueName: "path"))
    var file: String?

    @Option(help: "text, json, dot or mermaid.")
    var format: Format = .text

    @Flag(help: "The same as --format json.")
    var json = false

    @Flag(help: "Don't look at what depends on this machine: files, commands, users.")
    var noHost = false

    func run() throws {
        let loaded = try ManifestArgument(path ?? file).load(options: LoadOptions(checksHost: !noHost))
        guard let plan = loaded.plan else {
            Applying.show(loaded.diagnostics)
            throw CommandFailure(exitCode: CommandFailure.Code.invalidManifest.rawValue)
        }
        let text =
            switch json ? .json : format {
            case .text: planText(plan)
            case .json: planJSON(plan)
            case .dot: planDOT(plan)
            case .mermaid: planMermaid(plan)
            }
        Console.write(text.withFinalNewline)
    }
}
