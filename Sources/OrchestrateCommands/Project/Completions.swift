import ArgumentParser
import ControlClient
import ManifestLoading
import Planning
import SidecarModel
import StateStore

extension CompletionKind {
    /// Sidecars, and the instances of those that have several.
    static let sidecars = Self.names(.instances)
    /// Without instances.
    static let wholeSidecars = Self.names(.sidecars)
    static let tasks = Self.names(.tasks)
    static let projects = CompletionKind.custom { _, _, _ in Completions.projects() }

    private static func names(_ wanted: Completions.Wanted) -> CompletionKind {
        .custom { words, index, _ in Completions(words: words, index: index).names(wanted) }
    }
}

/// What a shell offers while a command is typed: read from files, and nothing where they say nothing. The shell
/// leaves out what doesn't begin as the word does.
struct Completions {
    enum Wanted { case instances, sidecars, tasks }

    /// Whoever types waits for it.
    private static let patience = Duration.milliseconds(300)
    /// More than fit a screen are offered once their sidecar is written out.
    private static let mostInstances = 10

    let options: ProjectOptions
    private let command: String
    private let word: String

    /// - Parameters:
    ///   - words: the line as it is typed so far, with its quotes, from the program on.
    ///   - index: of the word to be completed.
    init(words: [String], index: Int) {
        word = words.indices.contains(index) ? words[index] : ""
        var options = ProjectOptions()
        options.file = nil
        options.project = nil
        command = words.dropFirst().first { !$0.hasPrefix("-") } ?? ""
        // There it means to follow.
        let files = ["logs", "events"].contains(command) ? ["--file"] : ["--file", "-f"]
        var rest = words.prefix(max(0, index)).dropFirst()
        while let name = rest.popFirst(), name != "--" {
            for option in files + ["--project"] where name == option || name.hasPrefix(option + "=") {
                var value = name == option ? rest.popFirst() : String(name.dropFirst(option.count + 1))
                // Bash calls the sign a word of its own.
                if value == "=" { value = rest.popFirst() }
                if option == "--project" {
                    options.project = value.map(unquoted)
                } else {
                    options.file = value.map(unquoted)
                }
            }
        }
        self.options = options
    }

    func names(_ wanted: Wanted) -> [String] {
        let patience = Patience.ofCommand(timeout: Self.patience)
        let context =
            command == "up"
            ? try? ProjectContext(upWith: options, patience: patience)
            : try? ProjectContext(options, patience: patience)
        guard let context else { return [] }
        let declared = context.manifest.flatMap { manifest in
            loadManifest(
                path: manifest, environment: context.environment,
                options: LoadOptions(checksHost: false, interpolates: false, makesFingerprints: false),
                files: HostFiles()
            ).plan?.sidecars
        }
        guard let declared else {
            // The manifest is broken or gone: what was up is known all the same.
            let rows = (try? StateStore(reading: context.location.journalPath).instances(withEnded: true)) ?? []
            let replicas = Dictionary(rows.map { ($0.sidecar, $0.replica + 1) }, uniquingKeysWith: max)
            return offered(replicas.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, wanted)
        }
        let named = declared.filter { wanted != .tasks || $0.kind == .task }
        return offered(named.map { ($0.name, $0.replicas) }, wanted)
    }

    private func offered(_ sidecars: [(name: String, replicas: Int)], _ wanted: Wanted) -> [String] {
        sidecars.flatMap { name, replicas in
            let isAsked = wanted == .instances && replicas > 1
            let mayAll = replicas <= Self.mostInstances || word.hasPrefix("\(name)/")
            return [name] + (isAsked && mayAll ? (0..<replicas).map { "\(name)/\($0)" } : [])
        }
    }

    /// Each by its name, and where others have the same, by what it alone is known by.
    static func projects() -> [String] {
        let environment = ProcessEnvironment.variables()
        let directory = ProcessEnvironment.workingDirectory(environment)
        guard let root = try? ProjectContext.root(environment, directory) else { return [] }
        let known = root.projects().map { location in
            (identity: location.identity, name: (try? StateStore(reading: location.journalPath).project())??.name)
        }
        return known.map { project in
            guard let name = project.name, known.count(where: { $0.name == name }) == 1 else { return project.identity }
            return name
        }
    }
}

/// One word without the quotes of the shell it is typed in.
private func unquoted(_ word: String) -> String {
    let text = ShellWords.meaning(ofWord: word) ?? word
    guard text.hasPrefix("~/"), let home = ProcessEnvironment.variables()["HOME"] else { return text }
    return home + text.dropFirst()
}
