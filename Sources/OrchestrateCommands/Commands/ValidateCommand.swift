import ArgumentParser
import DiagnosticRendering
import Glibc
import ManifestLoading
import Supervision

struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a manifest, and tell everything that is wrong with it at once.",
        discussion: """
            Touches nothing. Exits with 3 when there is an error; warnings alone are fine, unless --strict.

            Examples:
              orchestrate validate
              orchestrate validate --format json deploy/sidecars.yaml
              generate-manifest | orchestrate validate --no-host -
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: "The manifest, or - for standard input.", completion: .file(extensions: ["yaml", "yml"]))
    var path: String?

    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("The manifest; the same as the argument.", valueName: "path"))
    var file: String?

    @Option(help: "text or json.")
    var format: Format = .text

    @Flag(help: "Don't look at what depends on this machine: files, commands, users.")
    var noHost = false

    @Flag(help: "Don't replace ${VAR}.")
    var noInterpolate = false

    @Flag(help: "Warnings are errors too.")
    var strict = false

    func run() throws {
        let loaded = try ManifestArgument(path ?? file).load(
            options: LoadOptions(checksHost: !noHost, interpolates: !noInterpolate))
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
        if loaded.hasErrors || (strict && !loaded.diagnostics.isEmpty) {
            throw CommandFailure(exitCode: CommandFailure.Code.invalidManifest.rawValue)
        }
    }
}

/// The manifest a command is to read, without any project behind it.
struct ManifestArgument {
    private let path: String?

    init(_ path: String?) { self.path = path }

    func load(options: LoadOptions) throws -> LoadedManifest {
        let environment = ProcessEnvironment.variables()
        let directory = ProcessEnvironment.workingDirectory(environment)
        if path == "-" {
            do {
                let text = try HostFiles.readAll(from: STDIN_FILENO, limit: 16 << 20)
                return loadManifest(
                    text: text, file: "<stdin>", directory: directory, environment: environment, options: options,
                    files: Self.files)
            } catch {
                throw CommandFailure(.failed, "cannot read standard input: \(error.reason)")
            }
        }
        guard let found = path ?? findManifest(from: directory) else {
            throw CommandFailure(
                .invalidManifest,
                "there is no sidecars.yaml in \(directory) or above it; write one with 'orchestrate init'")
        }
        // Shown as a person would write it.
        let shown = found.hasPrefix(directory + "/") ? String(found.dropFirst(directory.count + 1)) : found
        return loadManifest(path: shown, environment: environment, options: options, files: Self.files)
    }

    private static var files: HostFiles {
        HostFiles(resourceObstacle: { ResourceSupport.expectedObstacle(to: $0) })
    }
}

extension String {
    var withFinalNewline: String { hasSuffix("\n") ? self : self + "\n" }
}
