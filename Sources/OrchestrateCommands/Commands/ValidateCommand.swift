import ArgumentParser
import ControlAPI
import DiagnosticRendering
import Glibc
import ManifestLoading
import SidecarModel
import Supervision

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a manifest, and tell everything that is wrong with it at once.",
        discussion: """
            Touches nothing. Exits with 3 when there is an error, one of which is that there is no
            manifest; warnings alone are fine, unless --strict.

            Examples:
              orchestrate validate
              orchestrate validate --format json deploy/sidecars.yaml
              generate-manifest | orchestrate validate --no-host -
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @OptionGroup var manifest: ManifestOptions

    @Option(help: "text or json.")
    var format: Format = .text

    @Flag(help: "Don't replace ${VAR}.")
    var noInterpolate = false

    @Flag(help: "Warnings are errors too.")
    var strict = false

    func run() throws {
        var loaded = manifest.load(interpolates: !noInterpolate, isForPlan: false)
        if strict {
            for index in loaded.diagnostics.indices { loaded.diagnostics[index].severity = .error }
        }
        switch format {
        case .json: Console.write(diagnosticJSON(loaded.diagnostics).withFinalNewline)
        case .text:
            let color = Terminal(environment: ProcessEnvironment.variables()).usesColor
            if let summary = diagnosticSummary(loaded.diagnostics) {
                Console.write(diagnosticText(loaded.diagnostics, colour: color).withFinalNewline)
                Console.print(summary)
            } else {
                Console.print("\(loaded.file.terminalSafe) is valid")
            }
        }
        if loaded.hasErrors {
            throw CommandFailure(.invalidManifest)
        }
    }
}

extension String {
    var withFinalNewline: String { hasSuffix("\n") ? self : self + "\n" }
}
