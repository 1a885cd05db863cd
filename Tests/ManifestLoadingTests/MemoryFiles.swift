import ManifestLoading
import SidecarModel

/// Files that exist only in the test.
struct MemoryFiles: FileReading {
    var texts: [String: String] = [:]
    /// What is no text.
    var bytes: [String: [UInt8]] = [:]
    var directories: Set<String> = ["/", "/app"]
    /// Where a path really leads.
    var links: [String: String] = [:]
    var unreadable: Set<String> = []
    /// Directories that let nobody in.
    var closed: Set<String> = []
    /// Users, and groups of the same name. Nil: nobody is asked.
    var accounts: [String: UInt32]?
    var abilities: HostAbilities?
    var resourceObstacle: String?
    /// Of programs, by path.
    var flaws: [String: ProgramFlaw] = [:]
    /// What only we may enter and execute.
    var ours: Set<String> = []

    var currentDirectory: String { "/app" }

    func read(_ path: String, limit: Int) throws(FileReadFailure) -> [UInt8] {
        if let bytes = bytes[path] { return bytes }
        if unreadable.contains(path) { throw .permissionDenied }
        guard let text = texts[path] else {
            if directories.contains(path) { throw .isDirectory }
            throw .notFound
        }
        guard text.utf8.count <= limit else { throw .tooLarge(limit: limit) }
        return Array(text.utf8)
    }

    func user(_ name: String) -> AccountAnswer {
        guard let accounts else { return .notAsked }
        return accounts[name].map { .known(id: $0) } ?? .absent
    }

    func group(_ name: String) -> AccountAnswer { user(name) }

    func obstacle(to resources: ResourceSpec) -> String? { resourceObstacle }

    /// Number 80 is a stranger's.
    func obstacle(to port: PortSpec, replicas: Int) -> PortObstacle? {
        guard port.wanted == .number(80) else { return nil }
        return PortObstacle(message: "port 80 on \(port.bind) is in use by pid 7 (nginx)", remedy: "end it")
    }

    func canonicalPath(_ path: String) -> String? { links[path] ?? (directories.contains(path) ? path : nil) }

    func kind(of path: String) -> FileKind? {
        if closed.contains(path) { return .directory(isAccessible: false) }
        if closed.contains(where: { path.hasPrefix($0 + "/") }) { return .hidden }
        if directories.contains(path) { return .directory(isAccessible: true) }
        return texts[path] == nil ? nil : .file(isExecutable: path.hasPrefix("/bin/"))
    }

    func kind(of path: String, for runner: Runner?) -> FileKind? {
        guard runner != nil else { return kind(of: path) }
        var files = self
        files.texts = texts.filter { !ours.contains($0.key) }
        files.closed.formUnion(ours.intersection(directories))
        if ours.contains(path), !directories.contains(path) { return .file(isExecutable: false) }
        return files.kind(of: path)
    }

    func mayRead(_ path: String) -> Bool { !unreadable.contains(path) }

    func runner(user: String, group: String?) -> Runner? {
        accounts?[user].map { Runner(name: user, user: $0, groups: [$0]) }
    }

    func flaw(ofProgram path: String) -> ProgramFlaw? { flaws[path] }

    var longestArgument: Int? { 131_071 }
}

/// A manifest at /app/sidecars.yaml.
func load(
    _ text: String, environment: [String: String] = [:], options: LoadOptions = LoadOptions(checksHost: false),
    files: MemoryFiles = MemoryFiles()
) -> LoadedManifest {
    loadManifest(
        text: Array(text.utf8), file: "sidecars.yaml", directory: "/app", environment: environment, options: options,
        files: files)
}

extension LoadedManifest {
    /// `line:column rule message`, one for each diagnostic.
    var report: [String] {
        diagnostics.map { "\($0.location?.line ?? 0):\($0.location?.column ?? 0) \($0.rule): \($0.message)" }
    }
}
