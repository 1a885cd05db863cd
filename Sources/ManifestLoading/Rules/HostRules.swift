import SidecarModel
import YAMLReading

/// What depends on this machine. Warnings: a dependency or a hook may yet create what is missing.
extension ManifestDecoder {
    func checkHost(of sidecar: SidecarSpec, _ position: Int, _ known: inout KnownPlaces) {
        let directory = readLiteral(sidecar.workingDirectory)
        let runner = sidecar.privileges.user.flatMap { known.runner($0, group: sidecar.privileges.group, in: files) }
        checkPrograms(besides: sidecar, position, in: directory, for: runner, &known)
        guard sidecar.kind != .external else { return }
        checkPrivilegesOnHost(of: sidecar, position)
        for port in sidecar.ports {
            guard let obstacle = files.obstacle(to: port, replicas: sidecar.replicas) else { continue }
            report(
                .portUnavailable, at: place(ofPort: port.name, of: position), obstacle.message, help: obstacle.remedy)
        }
        if let directory { checkDirectory(directory, of: position, for: runner, known: &known.directories) }
        if let logs = sidecar.logs.directory { checkLogDirectory(logs, of: position, known: &known.directories) }
        switch sidecar.program {
        case .command(let words):
            checkProgram(
                words, from: directory, along: searchPath(of: position), for: runner, at: place(position, "command"),
                &known)
        case .shell(let script): checkArguments([script], at: place(position, "shell"))
        case nil: break
        }
    }

    private func checkDirectory(
        _ path: String, of position: Int, for runner: Runner?, known: inout [KnownPlaces.Place: FileKind?]
    ) {
        let key = KnownPlaces.Place(text: path, runner: runner)
        let kind = known[key] ?? files.kind(of: path, for: runner)
        known[key] = kind
        switch kind {
        case .directory(isAccessible: true): break
        case .directory(isAccessible: false), .hidden:
            report(
                .directoryNotFound, at: place(position, "cwd"),
                "the directory \(path) can't be entered\(runner.asked): permission denied",
                help: "let \(runner.pointedAt) in, or choose another")
        case .file, .other: report(.directoryNotFound, at: place(position, "cwd"), "\(path) is no directory")
        case nil:
            report(
                .directoryNotFound, at: place(position, "cwd"), "there is no directory \(path)", help: "create it")
        }
    }

    /// It is made where it is missing: what matters is the nearest one above it that is there.
    private func checkLogDirectory(_ path: String, of position: Int, known: inout [KnownPlaces.Place: FileKind?]) {
        var nearest = path
        func look(at path: String) -> FileKind? { known[KnownPlaces.Place(text: path)] ?? files.kind(of: path) }
        var kind = look(at: nearest)
        while kind == nil || kind == .hidden, nearest != "/" {
            nearest = parentDirectory(of: nearest)
            kind = look(at: nearest)
        }
        known[KnownPlaces.Place(text: nearest)] = kind
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
}
