import Planning
import SidecarModel
import YAMLReading

/// Reads a manifest file and everything it names, and checks it: a plan, or every problem at once.
///
/// - Parameters:
///   - path: as the user wrote it; diagnostics show it like that.
///   - environment: of the client, for `${VAR}`.
package func loadManifest(
    path: String, environment: [String: String], options: LoadOptions = LoadOptions(), files: some FileReading
) -> LoadedManifest {
    let absolute = absolutePath(path, from: files.currentDirectory)
    do {
        let bytes = try files.read(absolute, limit: YAMLLimits.bytes)
        return loadManifest(
            text: bytes, file: path, directory: parentDirectory(of: absolute), path: absolute, environment: environment,
            options: options, files: files)
    } catch {
        return unreadableManifest(error, file: path, path: absolute)
    }
}

/// That nothing was named, and nothing is found.
///
/// - Parameter sentence: where was looked.
package func missingManifest(_ sentence: String) -> LoadedManifest {
    let diagnostic = Diagnostic(
        rule: RuleID.manifestNotFound.rawValue, message: sentence, help: "run `orchestrate init` to write one")
    return LoadedManifest(plan: nil, diagnostics: [diagnostic], file: "", path: "")
}

/// What there is to say of a manifest that can't be read.
///
/// - Parameter file: what diagnostics call it.
package func unreadableManifest(_ failure: FileReadFailure, file: String, path: String = "") -> LoadedManifest {
    let (rule, help): (RuleID, String?) =
        switch failure {
        case .notFound: (.manifestNotFound, "run `orchestrate init` to write one")
        case .tooLarge: (.yamlTooLarge, "split the project, or generate less")
        case .notAFile: (.manifestUnreadable, "`orchestrate validate -` reads a manifest from standard input")
        case .permissionDenied, .isDirectory, .other: (.manifestUnreadable, nil)
        }
    let diagnostic = Diagnostic(
        rule: rule.rawValue, message: "cannot read the manifest \(file): \(failure.reason)", help: help)
    return LoadedManifest(plan: nil, diagnostics: [diagnostic], file: file, path: path)
}

/// The same for a text that is already here, as from standard input.
///
/// - Parameters:
///   - file: what diagnostics call it.
///   - directory: absolute; where relative paths in it start.
package func loadManifest(
    text: [UInt8], file: String, directory: String, path: String = "", environment: [String: String],
    options: LoadOptions = LoadOptions(), files: some FileReading
) -> LoadedManifest {
    let (document, problems) = readYAML(text, file: file)
    var diagnostics = problems.map { problem in
        var problem = problem
        if let rule = RuleID(rawValue: problem.rule) { problem.severity = rule.severity }
        return problem
    }
    var plan: Plan?
    let source: SourceText
    if let document {
        source = document.source
        let decoder = ManifestDecoder(
            document: document, directory: directory, environment: environment, options: options, files: files)
        plan = decoder.makePlan()
        diagnostics += decoder.diagnostics
    } else {
        source = SourceText(file: file, bytes: text)
    }
    diagnostics = finished(diagnostics, source: source)
    if !options.toleratesErrors, diagnostics.contains(where: { $0.severity == .error }) { plan = nil }
    return LoadedManifest(plan: plan, diagnostics: diagnostics, file: file, path: path)
}

/// What a manifest is called that is found without being named; the first wins where both are.
package let manifestFileNames = ["sidecars.yaml", "sidecars.yml"]

/// The nearest `sidecars.yaml` or `sidecars.yml`, in the directory or above it.
package func findManifest(from directory: String, files: some FileReading) -> String? {
    var directory = absolutePath(directory, from: files.currentDirectory)
    while true {
        for name in manifestFileNames {
            let path = directory == "/" ? "/" + name : directory + "/" + name
            if case .file = files.kind(of: path) { return path }
        }
        if directory == "/" { return nil }
        directory = parentDirectory(of: directory)
    }
}

package func findManifest(from directory: String) -> String? { findManifest(from: directory, files: HostFiles()) }

/// Sorted, each once, without those a comment silences, with the lines they stand on.
private func finished(_ diagnostics: [Diagnostic], source: SourceText) -> [Diagnostic] {
    guard !diagnostics.isEmpty else { return [] }
    var seen: Set<Diagnostic> = []
    // What the reader could not take in is no text of the user's: nothing else is to be said of that place. What it only
    // warns of, it has taken in.
    let refused = diagnostics.filter { $0.severity == .error && YAMLRule(rawValue: $0.rule) != nil }
    let unread = Set(refused.compactMap(\.location))
    let kept = diagnostics.filter { diagnostic in
        if YAMLRule(rawValue: diagnostic.rule) == nil, let place = diagnostic.location, unread.contains(place) {
            return false
        }
        return seen.insert(diagnostic).inserted && !isSilenced(diagnostic, in: source)
    }
    let order = kept.indices.sorted { left, right in
        let (a, b) = (place(of: kept[left], in: source), place(of: kept[right], in: source))
        return a == b ? left < right : a < b
    }
    return order.map { position in
        var diagnostic = kept[position]
        if let location = diagnostic.location, location.file == source.file, diagnostic.snippet == nil {
            diagnostic.snippet = source.line(location.line)
        }
        return diagnostic
    }
}

/// Those of no place first, those of another file last.
private func place(of diagnostic: Diagnostic, in source: SourceText) -> Int {
    guard let location = diagnostic.location else { return -1 }
    return location.file == source.file ? location.offset : .max
}

/// Only warnings: an error that is silenced is still one.
private func isSilenced(_ diagnostic: Diagnostic, in source: SourceText) -> Bool {
    guard diagnostic.severity == .warning, let location = diagnostic.location, location.file == source.file else {
        return false
    }
    let line = location.line
    let wanted = "# orchestrate: ignore="
    for number in [line, line - 1] {
        guard let text = source.line(number), let comment = text.range(ofASCII: wanted) else { continue }
        let isAlone =
            text.utf8.prefix { $0 == 0x20 }.count == text.utf8.distance(from: text.startIndex, to: comment.lowerBound)
        if number != line, !isAlone { continue }
        let rules = text[comment.upperBound...].split(whereSeparator: { $0 == " " || $0 == "," })
        if rules.contains(where: { $0 == diagnostic.rule }) { return true }
    }
    return false
}
