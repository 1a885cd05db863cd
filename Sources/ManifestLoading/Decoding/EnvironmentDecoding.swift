import SidecarModel
import YAMLReading

extension ManifestDecoder {
    /// Values are the text as written: `0644` and `on` stay what they are.
    func environment(_ node: NodeID) -> [EnvironmentEntry] {
        if document.isNull(node) { return [] }
        guard document.kind(node) == .mapping else {
            let isList = document.kind(node) == .sequence
            reportKind(
                of: node, "'env'", takes: "a mapping",
                help: isList ? "write NAME: value instead of - NAME=value" : nil)
            return []
        }
        var entries: [EnvironmentEntry] = []
        let count = document.count(node)
        entries.reserveCapacity(count)
        for position in 0..<count {
            let (key, value) = document.pair(node, at: position)
            let name = document.string(key)
            guard isVariableName(name) else {
                report(
                    .invalidVariableName, at: key, "'\(name)' can't be a variable's name",
                    help: "letters, digits and '_', not beginning with a digit")
                continue
            }
            if document.isNull(value) {
                // An empty value is written "".
                entries.append(EnvironmentEntry(name: name, value: nil))
            } else if document.kind(value) == .scalar {
                if !hasDollar(value) { checkSecret(named: name, value: value) }
                if let template = template(value, named: name) {
                    entries.append(EnvironmentEntry(name: name, value: template))
                }
            } else {
                reportKind(of: value, "the variable '\(name)'", takes: "text")
            }
        }
        return entries
    }

    /// The later win, in the order of first mention.
    func merged(_ base: [EnvironmentEntry], _ over: [EnvironmentEntry]) -> [EnvironmentEntry] {
        if base.isEmpty { return over }
        if over.isEmpty { return base }
        var result = base
        if base.count * over.count <= 256 {
            for entry in over {
                if let position = result.firstIndex(where: { $0.name == entry.name }) {
                    result[position] = entry
                } else {
                    result.append(entry)
                }
            }
            return result
        }
        var positions: [String: Int] = [:]
        for (position, entry) in base.enumerated() { positions[entry.name] = position }
        for entry in over {
            if let position = positions[entry.name] {
                result[position] = entry
            } else {
                positions[entry.name] = result.count
                result.append(entry)
            }
        }
        return result
    }

    // MARK: Files

    /// A path, or a list of paths and `{path, required}`.
    func environmentFiles(_ node: NodeID) -> [EnvironmentEntry] {
        let items = document.kind(node) == .sequence ? document.items(node) : [node]
        var entries: [EnvironmentEntry] = []
        for item in items {
            var form = EnvironmentFileForm()
            if document.kind(item) == .scalar {
                form.path = path(item, named: "env_file")
            } else {
                decode(item, by: environmentFileKeys, named: "env_file", into: &form) { _, node, form in
                    form.path = path(node, named: "path")
                }
                if lacks(["path"], of: environmentFileKeys, in: item) {
                    report(.missingKey, at: item, "the entry doesn't say which file", help: "add 'path:'")
                }
            }
            guard let path = form.path else { continue }
            guard let literal = path.literal else {
                reportReference(in: path, at: item, named: "env_file")
                continue
            }
            entries = merged(entries, readEnvironmentFile(literal, required: form.required, at: item))
        }
        return entries
    }

    private func readEnvironmentFile(_ path: String, required: Bool, at node: NodeID) -> [EnvironmentEntry] {
        guard options.readsFiles, !isUnread(path) else { return [] }
        if let known = environmentFiles[path] { return known }
        let bytes: [UInt8]
        do {
            bytes = try files.read(path, limit: 1 << 20)
        } catch {
            if required || error != .notFound {
                let problem = EnvironmentFileProblem(reading: path, failed: error)
                report(problem.rule, at: node, problem.message, help: problem.help)
            }
            return []
        }
        let parsed = parseEnvironmentFile(bytes, path: path)
        for problem in parsed.problems { report(problem.rule, at: node, problem.message, help: problem.help) }
        var entries: [EnvironmentEntry] = []
        var positions: [String: Int] = [:]
        // A file that holds a secret for `up` to read gives it to nobody else: who is to have it names it.
        for (name, value) in parsed.entries where secretVariables[name] == nil {
            let entry = EnvironmentEntry(name: name, value: Template(value))
            if let position = positions[name] {
                entries[position] = entry
            } else {
                positions[name] = entries.count
                entries.append(entry)
            }
        }
        environmentFiles[path] = entries
        return entries
    }

    /// A variable of the client's environment, or else of `.env` beside the manifest.
    func variable(_ name: String) -> String? { clientEnvironment[name] ?? readDotEnvironment().values[name] }

    /// True where a variable that is missing may stand in the part of `.env` that could not be read. Reports that, where
    /// one is missing first: a file of that name need not be ours where none is.
    func reportsDotEnvironment(at node: NodeID) -> Bool {
        let problems = readDotEnvironment().problems
        guard !problems.isEmpty else { return false }
        if !hasReportedDotEnvironment {
            for problem in problems { report(problem.rule, at: node, problem.message, help: problem.help) }
        }
        hasReportedDotEnvironment = true
        return true
    }

    /// Other tools read `.env` too, each by its own rules: what can't be read of it is no error as long as no variable is
    /// missing. Without the line itself, which may hold a secret.
    func warnOfDotEnvironment() {
        guard let dotEnvironment, !hasReportedDotEnvironment, environmentFiles[directory + "/.env"] == nil else {
            return
        }
        for problem in dotEnvironment.problems {
            guard let place = problem.place else { continue }
            report(
                .dotEnvironmentSyntax, location: place.location, place.message + ", so nothing is read there",
                help: problem.help)
        }
    }

    private func readDotEnvironment() -> DotEnvironment {
        if let dotEnvironment { return dotEnvironment }
        let read = options.readsFiles ? DotEnvironment(beside: directory, files: files) : DotEnvironment()
        dotEnvironment = read
        return read
    }
}
