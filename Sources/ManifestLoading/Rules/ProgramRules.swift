import SidecarModel
import YAMLReading

/// What was found at a path, or for a name, for all sidecars that name it.
struct KnownPlaces {
    var commands: [String: FileKind?] = [:]
    /// By search path and name.
    var programs: [String: Program] = [:]
    var directories: [String: FileKind?] = [:]

    enum Program {
        case executable
        case notExecutable(String)
        /// A directory that could not be looked into may have it.
        case absent(hiddenBy: String?)
    }
}

/// Whether the programs are there that a manifest names.
extension ManifestDecoder {
    /// Those of its hooks and probes: a start fails with `pre_start`, and no probe that can't run succeeds.
    func checkPrograms(
        besides sidecar: SidecarSpec, _ position: Int, in directory: String?, _ known: inout KnownPlaces
    ) {
        for hook in sidecar.hooks {
            guard case .command(let words) = hook.action else { continue }
            checkProgram(
                words, from: directory, along: searchPath(of: position),
                at: place(position, "hooks", hook.event.rawValue, "exec"), &known)
        }
        guard sidecar.health != HealthSpec() else { return }
        for role in ProbeRole.allCases {
            // One that could not be read has no words.
            guard case .exec(let words) = sidecar.health[role]?.check, !words.isEmpty else { continue }
            checkProgram(
                words, from: directory, along: searchPath(of: position), at: place(ofProgramFor: role, position),
                &known)
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
    func checkProgram(
        _ words: [Template], from directory: String?, along searchPath: @autoclosure () -> String?,
        at node: @autoclosure () -> NodeID, named start: String = "the sidecar's cwd", _ known: inout KnownPlaces
    ) {
        // A NUL was reported by the reader.
        guard let program = words.first.flatMap(readLiteral), !program.utf8.contains(0) else { return }
        if program.utf8.contains(UInt8(ascii: "/")) {
            guard program.hasPrefix("/") || directory != nil else { return }
            let path = absolutePath(program, from: directory ?? "/")
            let kind = known.commands[path] ?? files.kind(of: path)
            known.commands[path] = kind
            if case .file(isExecutable: true) = kind { return }
            return report(
                kind, path: path, at: node(),
                help: program.hasPrefix("/")
                    ? "install it, or correct the path" : "a relative path starts at \(start)")
        }
        guard let searchPath = searchPath() else { return }
        let key = searchPath + "\0" + program
        let found = known.programs[key] ?? lookUp(program, in: searchPath)
        known.programs[key] = found
        switch found {
        case .executable: break
        case .notExecutable(let path):
            report(.file(isExecutable: false), path: path, at: node(), help: nil)
        case .absent(let hidden):
            let limit = hidden.map { " that this user may see: permission denied by \($0)" } ?? ""
            report(
                .commandNotFound, at: node(), "there is no command '\(program)' in PATH\(limit)",
                help: "install it, or give its path")
        }
    }

    /// - Parameter help: where nothing is there.
    private func report(_ kind: FileKind?, path: String, at node: NodeID, help: String?) {
        switch kind {
        case .file(isExecutable: true): break
        case .file(isExecutable: false):
            report(.commandNotExecutable, at: node, "\(path) is not executable", help: "chmod +x \(path)")
        case .directory, .other: report(.commandNotExecutable, at: node, "\(path) is no program")
        case .hidden:
            report(
                .commandNotExecutable, at: node,
                "\(path) can't be executed: permission denied by a directory above it",
                help: "let this user in, or choose another")
        case nil: report(.commandNotFound, at: node, "there is no file \(path)", help: help)
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
    private func lookUp(_ program: String, in searchPath: String) -> KnownPlaces.Program {
        var refused: String?
        var hidden: String?
        for directory in searchPath.split(separator: ":") {
            let path = "\(directory)/\(program)"
            switch files.kind(of: path) {
            case .file(isExecutable: true): return .executable
            case .file(isExecutable: false): refused = refused ?? path
            case .hidden: hidden = hidden ?? String(directory)
            case .directory, .other, nil: break
            }
        }
        return refused.map { .notExecutable($0) } ?? .absent(hiddenBy: hidden)
    }
}
