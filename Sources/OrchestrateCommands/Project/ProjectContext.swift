import ControlAPI
import ControlClient
import Glibc
import ManifestLoading
import SidecarModel
import StateStore

/// The project a command is about: where it keeps its state, and how to reach its supervisor.
struct ProjectContext {
    let environment: [String: String]
    let workingDirectory: String
    let root: StateRoot
    let location: ProjectLocation
    /// Absolute; nil when the project was named and no manifest is at hand.
    let manifest: String?
    /// What to write after `orchestrate <command>` to mean this project again.
    let selector: String
    /// Of the whole command.
    let patience: Patience

    /// Finds the project by `--project`, the manifest, or, when that is gone, by what is known of projects here.
    init(_ options: ProjectOptions, patience: Patience = .ofCommand()) throws {
        self.patience = patience
        environment = ProcessEnvironment.variables()
        workingDirectory = ProcessEnvironment.workingDirectory(environment)
        root = try Self.root(environment, workingDirectory)
        let directory = workingDirectory
        let found =
            options.file.map { absolutePath($0, from: directory) }
            ?? (options.project == nil ? findManifest(from: workingDirectory) : nil)
        if let project = options.project {
            let known = try Self.known(project, usedBy: found, in: root, from: workingDirectory)
            location = known
            manifest = found ?? Self.lastManifest(of: known)
            selector = " --project \(project.shellQuoted)"
            return
        }
        selector = options.file.map { " --file \($0.shellQuoted)" } ?? ""
        if let found {
            manifest = found
            let id = ManifestIdentity.id(ofManifestAt: found, environment: environment)
            let own = ProjectLocation(identity: id ?? found, root: root)
            if !Self.runs(own), let former = Self.runningFormer(of: found, besides: own, in: root, patience) {
                location = former
            } else {
                location = own.exists ? own : Self.lastUsing(manifest: found, in: root) ?? own
            }
        } else if let former = Self.nearestFormer(to: workingDirectory, in: root) {
            (location, manifest) = former
        } else {
            throw CommandFailure(
                .invalidManifest,
                """
                \(ProcessEnvironment.absenceOfManifest(in: workingDirectory))
                Write one with 'orchestrate init', or name another by -f PATH or --project NAME.
                """)
        }
    }

    /// The project `up` is to run: the manifest decides, and what is known of projects doesn't.
    init(upWith options: ProjectOptions, patience: Patience = .ofCommand()) throws {
        self.patience = patience
        environment = ProcessEnvironment.variables()
        workingDirectory = ProcessEnvironment.workingDirectory(environment)
        root = try Self.root(environment, workingDirectory)
        let directory = workingDirectory
        var found = options.file.map { absolutePath($0, from: directory) } ?? findManifest(from: workingDirectory)
        if options.file == nil, let project = options.project {
            let known = try Self.known(project, in: root, from: workingDirectory)
            if let former = Self.lastManifest(of: known) {
                location = known
                manifest = former
                selector = " --project \(project.shellQuoted)"
                return
            }
            found = found ?? findManifest(from: workingDirectory)
        }
        guard let found else {
            throw CommandFailure(
                .invalidManifest,
                """
                \(ProcessEnvironment.absenceOfManifest(in: workingDirectory))
                Write one with 'orchestrate init', or name another by -f PATH.
                """)
        }
        guard access(found, R_OK) == 0 else {
            throw CommandFailure(
                .invalidManifest,
                "cannot read the manifest \(found): \(String(cString: strerror(errno)).lowercased())")
        }
        manifest = found
        let identity =
            options.project ?? ManifestIdentity.id(ofManifestAt: found, environment: environment) ?? found
        location = ProjectLocation(identity: identity, root: root)
        if options.project == nil {
            try Self.refuseBesideFormer(location, of: found, in: root, patience, environment: environment)
        }
        selector =
            options.project.map { " --project \($0.shellQuoted)" } ?? options.file.map { " --file \($0.shellQuoted)" }
            ?? ""
    }

    static func root(_ environment: [String: String], _ workingDirectory: String) throws -> StateRoot {
        if let variable = StateRoot.decidingVariable(in: environment),
            let bytes = ProcessEnvironment.bytesOfNoText(in: variable)
        {
            throw CommandFailure(.failed, "\(ProjectLocationError.noText(variable: variable, bytes: bytes))")
        }
        do {
            return try StateRoot(environment: environment, workingDirectory: workingDirectory) { root in
                root.projects().contains(where: runs)
            }
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }

    // MARK: Reaching the supervisor

    /// The running supervisor. Starts one to take up what lives without; fails with 5 when nothing does.
    func connect() throws -> ControlClient {
        if let client = try runningOrReturned() { return client }
        guard LivingSidecars.exist(in: location) else {
            // One that is called broken is tried again, also where nothing else is left.
            if let client = try returned() { return client }
            try refuseElsewhere()
            throw CommandFailure(
                .noSupervisor, "nothing of \(name) is running; start it with 'orchestrate up\(selector)'")
        }
        return try connectOrStart().client
    }

    /// A connection to whoever listens, which may not answer.
    private func client() throws(ControlError) -> ControlClient? {
        try ControlClient(socketPath: location.socketPath, patience: patience)
    }

    /// The running supervisor, or nil.
    func running() throws -> ControlClient? {
        try outlivingSupervisors {
            guard let client = try client() else { return nil }
            _ = try client.call(Hello.self, .init())
            return client
        }
    }

    /// One that closes the connection before it said who it is was just dying: whoever comes after it is asked.
    private func outlivingSupervisors<Answer>(_ ask: () throws -> Answer) throws -> Answer {
        for _ in 0..<20 {
            do {
                return try ask()
            } catch let error as ControlError where error.code == .noSupervisor {
                continue
            }
        }
        return try ask()
    }

    /// - Parameters:
    ///   - isGuarded: a supervisor that is started has a guard from the start.
    ///   - meanwhile: done while a supervisor that was started comes up.
    func connectOrStart(
        isGuarded: Bool = false, meanwhile: () -> Void = {}
    ) throws -> SupervisorStarter.Connection {
        try outlivingSupervisors { try connectOrStartOnce(isGuarded: isGuarded, meanwhile) }
    }

    private func connectOrStartOnce(
        isGuarded: Bool, _ meanwhile: () -> Void
    ) throws -> SupervisorStarter.Connection {
        if try client() == nil {
            try refuseElsewhere()
            try Guard.awaitEnd(of: location, checkPatience)
        }
        // Of the state, and inherited by keeper and supervisor: whatever the user's is, it is for this user alone.
        let umask = Glibc.umask(0o077)
        defer { _ = Glibc.umask(umask) }
        do {
            try location.prepare()
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        let starter = SupervisorStarter(
            stateDirectory: location.stateDirectory, startLockPath: location.startLockPath,
            lockPath: location.lockPath, socketPath: location.socketPath, logPath: location.supervisorLogPath,
            arguments: [
                SuperviseCommand.name, "--state-directory", location.stateDirectory, "--identity", location.identity,
            ], isGuarded: isGuarded, patience: patience,
            stoppedKeeper: stoppedKeeper)
        do {
            let connection = try starter.connect(meanwhile: meanwhile)
            // One that was just started is this same program.
            if !connection.isFresh { _ = try connection.client.call(Hello.self, .init()) }
            return connection
        } catch {
            guard LivingSidecars.haveBrokenSupervisor(in: location) else { throw error }
            throw CommandFailure(.failed, brokenSupervisor)
        }
    }

    /// What people call it.
    var name: String {
        guard location.identity.hasPrefix("/") else { return "'\(location.identity)'" }
        return location.identity
    }

    /// - Parameter known: the names there are, each once.
    func unknownSidecar(_ name: String, among known: [String]) -> CommandFailure {
        let others =
            known.isEmpty
            ? "\(self.name) has none yet, as it has not been up" : "there are \(known.joined(separator: ", "))"
        return CommandFailure(.unknownSidecar, "there is no sidecar '\(name)'; \(others)")
    }

    /// Where its first manifest was refused there is state, and nothing of it ever ran.
    static func hasBeenUp(_ location: ProjectLocation) -> Bool {
        guard location.exists else { return false }
        do throws(StoreError) {
            return try StateStore(reading: location.journalPath).project() != nil
        } catch {
            // What can't be read may have been anything.
            return true
        }
    }

    /// The journal of a project that has been up.
    func journal() throws(StoreError) -> StateStore {
        let store = try StateStore(reading: location.journalPath)
        // Its first manifest was refused.
        guard try store.project() != nil else { throw .absent(path: location.journalPath) }
        return store
    }

    // MARK: Finding it

    /// By its id, else by its manifest, else by its name or directory. Those need not be of one project alone: none of
    /// several is preferred, as what is done to the wrong one can't be undone.
    /// - Parameter file: the manifest, where it was named too.
    private static func known(
        _ project: String, usedBy file: String? = nil, in root: StateRoot, from directory: String
    ) throws -> ProjectLocation {
        let own = ProjectLocation(identity: project, root: root)
        if own.exists { return own }
        let path = absolutePath(project, from: directory)
        var found: [(location: ProjectLocation, manifest: String)] = []
        for location in root.projects() {
            guard let row = try? StateStore(reading: location.journalPath).project() else { continue }
            guard row.name == project || row.manifest == path || row.directory == path else { continue }
            found.append((location, row.manifest))
        }
        let exact = found.filter { $0.manifest == file ?? path }
        if !exact.isEmpty { found = exact }
        // What remains of one that is over and has no manifest any more is not what anybody means.
        let present = found.filter { candidate in
            access(candidate.manifest, F_OK) == 0 || runs(candidate.location)
        }
        if !present.isEmpty { found = present }
        guard found.count > 1 else { return found.first?.location ?? own }
        let ways = found.map { wayToName($0.location, manifest: $0.manifest) }.joined(separator: "\n")
        throw CommandFailure(
            .conflict, "there are \(found.count) projects called '\(project)'; say which one is meant:\n\(ways)")
    }

    private static func wayToName(_ location: ProjectLocation, manifest: String) -> String {
        location.identity == manifest
            ? "  --file \(manifest.shellQuoted)" : "  --project \(location.identity.shellQuoted)   (\(manifest))"
    }

    /// The manifest may have had an `id` when it was brought up, and be broken now.
    private static func lastUsing(manifest: String, in root: StateRoot) -> ProjectLocation? {
        root.projects().first { lastManifest(of: $0) == manifest }
    }

    /// The project whose manifest was here, or nearest above, before it was deleted.
    private static func nearestFormer(to directory: String, in root: StateRoot) -> (ProjectLocation, String?)? {
        var best: (location: ProjectLocation, manifest: String, length: Int)?
        for location in root.projects() {
            guard let row = (try? StateStore(reading: location.journalPath).project()) ?? nil else { continue }
            let home = parentDirectory(of: row.manifest)
            guard directory == home || directory.hasPrefix(home == "/" ? "/" : home + "/") else { continue }
            if home.utf8.count > best?.length ?? -1 { best = (location, row.manifest, home.utf8.count) }
        }
        return best.map { ($0.location, $0.manifest) }
    }
}
