import ArgumentParser
import ControlAPI
import DiagnosticRendering
import Glibc
import ManifestLoading
import Planning

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show in which order things start, and what waits for what. Touches nothing.",
        discussion: """
            A manifest with an error has no plan: whatever the format, what is wrong is all that is
            printed, on standard error, and it exits with 3. For programs it is told by
            'orchestrate validate --format json'.

            Examples:
              orchestrate plan
              orchestrate plan --format dot | dot -Tsvg > plan.svg
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, dot, mermaid }

    @OptionGroup var manifest: ManifestOptions

    @Option(help: "text, json, dot or mermaid.")
    var format: Format = .text

    @Flag(help: "The same as --format json.")
    var json = false

    func run() throws {
        let loaded = manifest.load()
        guard let plan = loaded.plan else {
            Applying.show(loaded.diagnostics)
            throw CommandFailure(.invalidManifest)
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
