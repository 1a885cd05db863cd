import SidecarModel
import YAMLReading

/// What was found at a path, or for a name, for all sidecars that name it.
struct KnownPlaces {
    /// A path, or a search path and a name, and whom it is looked at for.
    struct Place: Hashable {
        var text: String
        var runner: Runner?
    }

    var commands: [Place: FileKind?] = [:]
    var programs: [Place: Program] = [:]
    var directories: [Place: FileKind?] = [:]
    var flaws: [String: ProgramFlaw?] = [:]
    private var runners: [[String?]: Runner?] = [:]

    /// Accounts may come over a network: each is asked for once.
    mutating func runner(_ user: String, group: String?, in files: any FileReading) -> Runner? {
        if let known = runners[[user, group]] { return known }
        let found = files.runner(user: user, group: group)
        runners[[user, group]] = .some(found)
        return found
    }

    enum Program {
        case executable(String)
        case notExecutable(String)
        /// A directory that could not be looked into may have it.
        case absent(hiddenBy: String?)
    }
}

/// Whether the programs are there that a manifest names.
extension ManifestDecoder {
    /// Those of its hooks and probes: a start fails with `pre_start`, and no probe that can't run succeeds.
    func checkPrograms(
        besides sidecar: SidecarSpec, _ position: Int, in directory: String?, for runner: Runner?,
        _ known: inout KnownPlaces
    ) {
        for hook in sidecar.hooks {
            switch hook.action {
            case .shell(let script):
                checkArguments([script], at: place(position, "hooks", hook.event.rawValue, "shell"))
            case .command(let words):
                checkProgram(
                    words, from: directory, along: searchPath(of: position), for: runner,
                    at: place(position, "hooks", hook.event.rawValue, "exec"), &known)
            case .webhook: break
            }
        }
        guard sidecar.health != HealthSpec() else { return }
        for role in ProbeRole.allCases {
            // One that could not be read has no words.
            guard case .exec(let words) = sidecar.health[role]?.check, !words.isEmpty else { continue }
            checkProgram(
                words, from: directory, along: searchPath(of: position), for: runner,
                at: place(ofProgramFor: role, position), &known)
        }
    }

    private func place(ofProgramFor role: ProbeRole, _ position: Int) -> NodeID {
        let health = place(position, "health")
        let probe = document.entry(role.rawValue, in: health)?.value ?? health
        return document.entry("exec", in: probe)?.value ?? probe
    }

    /// - Parameters:
    ///   - directory: where it starts. Nil: nobody knows yet.
    ///   - start: what the directory is called.
    ///   - searchPath: where it is looked for without a slash. Nil: nobody knows yet.
    ///   - runner: whom it is run as. Nil: this user.
    func checkProgram(
        _ words: [Template], from directory: String?, along searchPath: @autoclosure () -> String?,
        for runner: Runner? = nil, at node: @autoclosure () -> NodeID, named start: String = "the sidecar's cwd",
        _ known: inout KnownPlaces
    ) {
        checkArguments(words.dropFirst(), at: node())
        // A NUL was reported by the reader.
        guard let program = words.first.flatMap(readLiteral), !program.utf8.contains(0) else { return }
        if program.utf8.contains(UInt8(ascii: "/")) {
            guard program.hasPrefix("/") || directory != nil else { return }
            let path = absolutePath(program, from: directory ?? "/")
            let key = KnownPlaces.Place(text: path, runner: runner)
            let kind = known.commands[key] ?? files.kind(of: path, for: runner)
            known.commands[key] = kind
            if case .file(isExecutable: true) = kind { return checkFormat(of: path, at: node(), &known) }
            return report(
                kind, path: path, for: runner, at: node(),
                help: program.hasPrefix("/")
                    ? "install it, or correct the path" : "a relative path starts at \(start)")
        }
        guard let searchPath = searchPath() else { return }
        let key = KnownPlaces.Place(text: searchPath + "\0" + program, runner: runner)
        let found = known.programs[key] ?? lookUp(program, in: searchPath, for: runner)
        known.programs[key] = found
        switch found {
        case .executable(let path): checkFormat(of: path, at: node(), &known)
        case .notExecutable(let path):
            report(.file(isExecutable: false), path: path, for: runner, at: node(), help: nil)
        case .absent(let hidden):
            let limit = hidden.map { " that \(runner.named) may see: permission denied by \($0)" } ?? ""
            report(
                .commandNotFound, at: node(), "there is no command '\(program)' in PATH\(limit)",
                help: "install it, or give its path")
        }
    }

    /// - Parameter help: where nothing is there.
    private func report(_ kind: FileKind?, path: String, for runner: Runner?, at node: NodeID, help: String?) {
        switch kind {
        case .file(isExecutable: true): break
        case .file(isExecutable: false) where runner != nil && files.kind(of: path) != kind:
            report(
                .commandNotExecutable, at: node, "\(runner.named) may not execute \(path)",
                help: "let that user execute it, or choose another")
        case .file(isExecutable: false):
            report(.commandNotExecutable, at: node, "\(path) is not executable", help: "chmod +x \(path)")
        case .directory, .other: report(.commandNotExecutable, at: node, "\(path) is no program")
        case .hidden:
            report(
                .commandNotExecutable, at: node,
                "\(path) can't be executed\(runner.asked): permission denied by a directory above it",
                help: "let \(runner.pointedAt) in, or choose another")
        case nil: report(.commandNotFound, at: node, "there is no file \(path)", help: help)
        }
    }

    /// What is there and the system won't run all the same.
    private func checkFormat(of path: String, at node: NodeID, _ known: inout KnownPlaces) {
        let flaw = known.flaws[path] ?? files.flaw(ofProgram: path)
        known.flaws[path] = flaw
        switch flaw {
        case nil: break
        case .interpreterNotFound(let name):
            report(
                .commandNotExecutable, at: node, "the interpreter that \(path) names is not there: \(name)",
                help: "install it, or correct the #! line")
        case .unknownFormat:
            report(
                .commandNotExecutable, at: node, "\(path) is neither a program nor a script with a #! line",
                help: "begin it with the line #!/bin/sh, or name its interpreter first")
        }
    }

    /// As long as they are without what is put in for references.
    func checkArguments(_ words: some Sequence<Template>, at node: @autoclosure () -> NodeID) {
        guard let most = files.longestArgument else { return }
        for word in words {
            let length = word.segments.reduce(0) { sum, segment in
                if case .literal(let text) = segment { sum + text.utf8.count } else { sum }
            }
            guard length > most else { continue }
            report(
                .commandNotExecutable, at: node(),
                "an argument has \(length) bytes, and the system takes no more than \(most)",
                help: "put it into a file, and hand over its path")
        }
    }

    /// Nil where a reference or a variable stands in it that is not known.
    func readLiteral(_ template: Template) -> String? {
        template.literal.flatMap { isUnread($0) ? nil : $0 }
    }

    /// Nil where it holds a variable that is not known.
    func searchPath(of position: Int) -> String? {
        if let entry = sidecars[position].environment.last(where: { $0.name == "PATH" }),
            let path = entry.value?.literal
        {
            return isUnread(path) ? nil : path
        }
        return ownSearchPath
    }

    /// Of whoever reads the manifest.
    var ownSearchPath: String { clientEnvironment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin" }

    /// Like `execvp`: what can't be executed is passed over, and said only where nothing else is found.
    private func lookUp(_ program: String, in searchPath: String, for runner: Runner?) -> KnownPlaces.Program {
        var refused: String?
        var hidden: String?
        for directory in searchPath.split(separator: ":") {
            let path = "\(directory)/\(program)"
            switch files.kind(of: path, for: runner) {
            case .file(isExecutable: true): return .executable(path)
            case .file(isExecutable: false): refused = refused ?? path
            case .hidden: hidden = hidden ?? String(directory)
            case .directory, .other, nil: break
            }
        }
        return refused.map { .notExecutable($0) } ?? .absent(hiddenBy: hidden)
    }
}

extension Runner? {
    /// As the subject of a sentence.
    var named: String { map { "user '\($0.name)'" } ?? "this user" }
    var pointedAt: String { self == nil ? "this user" : "that user" }
    /// Who is refused, where it is not whoever reads it.
    var asked: String { self == nil ? "" : " by \(named)" }
}
