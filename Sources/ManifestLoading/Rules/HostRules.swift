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

/// What depends on this machine. Warnings: a dependency or a hook may yet create what is missing.
extension ManifestDecoder {
    func checkHost(of sidecar: SidecarSpec, _ position: Int, _ known: inout KnownPlaces) {
        guard sidecar.kind != .external else { return }
        checkPrivilegesOnHost(of: sidecar, position)
        for port in sidecar.ports {
            guard let obstacle = files.obstacle(to: port, replicas: sidecar.replicas) else { continue }
            report(
                .portUnavailable, at: place(ofPort: port.name, of: position), obstacle.message, help: obstacle.remedy)
        }
        let directory = readLiteral(sidecar.workingDirectory)
        if let directory { checkDirectory(directory, of: position, known: &known.directories) }
        if let logs = sidecar.logs.directory { checkLogDirectory(logs, of: position, known: &known.directories) }
        guard case .command(let words) = sidecar.program, let program = words.first.flatMap(readLiteral) else {
            return
        }
        checkCommand(program, of: position, in: directory, known: &known)
    }

    /// Nil where a reference or a variable stands in it that is not known.
    private func readLiteral(_ template: Template) -> String? {
        template.literal.flatMap { isUnread($0) ? nil : $0 }
    }

    private func checkDirectory(_ path: String, of position: Int, known: inout [String: FileKind?]) {
        let kind = known[path] ?? files.kind(of: path)
        known[path] = kind
        switch kind {
        case .directory(isAccessible: true): break
        case .directory(isAccessible: false), .hidden:
            report(
                .directoryNotFound, at: place(position, "cwd"),
                "the directory \(path) can't be entered: permission denied",
                help: "let this user in, or choose another")
        case .file, .other: report(.directoryNotFound, at: place(position, "cwd"), "\(path) is no directory")
        case nil:
            report(
                .directoryNotFound, at: place(position, "cwd"), "there is no directory \(path)", help: "create it")
        }
    }

    /// It is made where it is missing: what matters is the nearest one above it that is there.
    private func checkLogDirectory(_ path: String, of position: Int, known: inout [String: FileKind?]) {
        var nearest = path
        var kind = known[nearest] ?? files.kind(of: nearest)
        while kind == nil || kind == .hidden, nearest != "/" {
            nearest = parentDirectory(of: nearest)
            kind = known[nearest] ?? files.kind(of: nearest)
        }
        known[nearest] = kind
        switch kind {
        case nil, .directory(isAccessible: true): break
        case .directory(isAccessible: false), .hidden:
            report(
                .directoryNotFound, at: place(position, "logs", "dir"),
                "logs can't be kept in \(path): permission denied by \(nearest)",
                help: "let this user in, or choose another by logs.dir")
        case .file, .other:
            report(
                .directoryNotFound, at: place(position, "logs", "dir"),
                "logs can't be kept in \(path): \(nearest) is no directory", help: "choose another by logs.dir")
        }
    }

    private func checkCommand(
        _ program: String, of position: Int, in directory: String?, known: inout KnownPlaces
    ) {
        if program.utf8.contains(UInt8(ascii: "/")) {
            guard program.hasPrefix("/") || directory != nil else { return }
            let path = absolutePath(program, from: directory ?? "/")
            let kind = known.commands[path] ?? files.kind(of: path)
            known.commands[path] = kind
            report(kind, path: path, isRelative: !program.hasPrefix("/"), of: position)
            return
        }
        guard let searchPath = path(of: position) else { return }
        let key = searchPath + "\0" + program
        let found = known.programs[key] ?? lookUp(program, in: searchPath)
        known.programs[key] = found
        switch found {
        case .executable: break
        case .notExecutable(let path):
            report(.file(isExecutable: false), path: path, isRelative: false, of: position)
        case .absent(let hidden):
            let limit = hidden.map { " that this user may see: permission denied by \($0)" } ?? ""
            report(
                .commandNotFound, at: place(position, "command"), "there is no command '\(program)' in PATH\(limit)",
                help: "install it, or give its path")
        }
    }

    private func report(_ kind: FileKind?, path: String, isRelative: Bool, of position: Int) {
        switch kind {
        case .file(isExecutable: true): break
        case .file(isExecutable: false):
            report(
                .commandNotExecutable, at: place(position, "command"), "\(path) is not executable",
                help: "chmod +x \(path)")
        case .directory, .other:
            report(.commandNotExecutable, at: place(position, "command"), "\(path) is no program")
        case .hidden:
            report(
                .commandNotExecutable, at: place(position, "command"),
                "\(path) can't be executed: permission denied by a directory above it",
                help: "let this user in, or choose another")
        case nil:
            report(
                .commandNotFound, at: place(position, "command"), "there is no file \(path)",
                help: isRelative ? "a relative path starts at the sidecar's cwd" : "install it, or correct the path")
        }
    }

    /// Nil where it holds a variable that is not known.
    private func path(of position: Int) -> String? {
        if let entry = sidecars[position].environment.last(where: { $0.name == "PATH" }),
            let path = entry.value?.literal
        {
            return isUnread(path) ? nil : path
        }
        return clientEnvironment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    }

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
