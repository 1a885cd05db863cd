import Glibc

/// Where a project keeps its state, found from what identifies it. The same answer in the client and the supervisor.
package struct ProjectLocation: Hashable, Sendable {
    /// The manifest's `id`, else its absolute path (symlinks stay), else what `--project` says.
    package let identity: String
    /// Absolute.
    package let stateDirectory: String

    package init(identity: String, root: StateRoot) {
        self.identity = identity
        stateDirectory = root.path + "/" + Self.directoryName(for: identity)
    }

    package init(identity: String, stateDirectory: String) {
        self.identity = identity
        self.stateDirectory = stateDirectory
    }

    package var socketPath: String { stateDirectory + "/control.sock" }
    package var journalPath: String { stateDirectory + "/journal.db" }
    /// Held by the keeper, its supervisor and every child until its exec.
    package var lockPath: String { stateDirectory + "/lock" }
    /// Held by the client that starts a supervisor.
    package var startLockPath: String { stateDirectory + "/start.lock" }
    package var spawnRecordsPath: String { stateDirectory + "/spawns" }
    package var logsDirectory: String { stateDirectory + "/logs" }
    /// Values of secrets, for the supervisor alone.
    package var secretsPath: String { stateDirectory + "/secrets" }
    package var fifoDirectory: String { stateDirectory + "/fifo" }
    package var dataDirectory: String { stateDirectory + "/data" }
    /// What was written when an instance failed.
    package var reportsDirectory: String { stateDirectory + "/reports" }
    package var supervisorLogPath: String { stateDirectory + "/supervisor.log" }
    /// The identity in clear, for people and against a collision of hashes.
    package var namePath: String { Self.namePath(in: stateDirectory) }

    private static func namePath(in stateDirectory: String) -> String { stateDirectory + "/name" }

    /// The identity of the project that keeps its state there.
    package static func identity(keptIn stateDirectory: String) -> String? {
        // A path may have line breaks in it: only the last one is not the identity's.
        guard var text = readFile(namePath(in: stateDirectory)) else { return nil }
        if text.unicodeScalars.last == "\n" { text.unicodeScalars.removeLast() }
        return text.isEmpty ? nil : text
    }

    package var exists: Bool { access(stateDirectory, F_OK) == 0 }

    /// 64 bits of FNV-1a in hexadecimal.
    package static func directoryName(for identity: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Makes the directory, for this user alone, and writes who it belongs to.
    package func prepare() throws(ProjectLocationError) {
        try makeDirectories()
        if let owner = Self.identity(keptIn: stateDirectory) {
            guard owner == identity else { throw .taken(directory: stateDirectory, by: owner) }
            return
        }
        let descriptor = open(namePath, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unusable(directory: stateDirectory, reason: lastError()) }
        defer { close(descriptor) }
        let line = Array((identity + "\n").utf8)
        guard write(descriptor, line, line.count) == line.count else {
            throw .unusable(directory: stateDirectory, reason: lastError())
        }
    }

    private func makeDirectories() throws(ProjectLocationError) {
        // Twice: others may make the root while we do.
        try refuseRoot()
        try Self.make(root)
        try refuseRoot()
        try Self.make(stateDirectory)
        // Held while it is looked at: what is made private is what was found to be ours. Its name is known to others, so
        // it is no link.
        let descriptor = open(stateDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            let isLink = errno == ELOOP || errno == ENOTDIR
            throw .unusable(directory: stateDirectory, reason: isLink ? "it is not a directory" : lastError())
        }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw .unusable(directory: stateDirectory, reason: lastError()) }
        guard info.st_uid == geteuid() else {
            throw .unusable(directory: stateDirectory, reason: "it belongs to another user")
        }
        if info.st_mode & 0o777 != 0o700 { fchmod(descriptor, 0o700) }
    }

    /// With all that is not there of what leads to it.
    private static func make(_ directory: String) throws(ProjectLocationError) {
        var path = ""
        for part in directory.split(separator: "/") {
            path += "/" + part
            guard mkdir(path, 0o700) != 0, errno != EEXIST else { continue }
            let reason = lastError()
            guard access(path, X_OK) == 0 else { throw .unusable(directory: path, reason: reason) }
        }
    }

    /// Where this project's state directory is beside others.
    package var root: String { StatePlaces.parent(of: stateDirectory) }

    private func refuseRoot() throws(ProjectLocationError) {
        guard let objection = RootObjection(to: root) else { return }
        let remedy = objection.remedy.map { " (\($0))" } ?? ""
        throw .unusable(directory: objection.directory, reason: objection.sentence + remedy)
    }
}

/// The directory under which all projects of this user keep their state.
package struct StateRoot: Hashable, Sendable {
    package let path: String
    /// Why it is not where it should be, for people; nil when it is.
    package let notice: String?

    package init(path: String) { self.init(path: path, notice: nil) }

    /// Where projects of this user note the ports they hold.
    package var portsDirectory: String { path + "/ports" }

    private init(path: String, notice: String?) {
        self.path = path
        self.notice = notice
    }

    /// `$ORCHESTRATE_STATE_DIR`, else `$XDG_STATE_HOME/orchestrate`, else `~/.local/state/orchestrate`; where that can't
    /// be written to, or there is no home, the first of `StatePlaces` that can.
    /// - Parameter isInUse: whether projects that run keep their state there. They are to be found there whatever became of
    ///   it meanwhile: anywhere else they would be started a second time.
    package init(
        environment: [String: String], workingDirectory: String, places: StatePlaces = StatePlaces(),
        isInUse: (StateRoot) -> Bool = { _ in false }
    ) throws(ProjectLocationError) {
        if let own = environment["ORCHESTRATE_STATE_DIR"], !own.isEmpty {
            // Asked for by name: it is that one or none.
            self.init(path: Self.absolute(own, in: workingDirectory))
            return
        }
        let wish = Self.wish(environment, workingDirectory)
        var reason = "there is no home directory"
        if let wish {
            switch places.obstacle(wish) {
            case nil, .open:
                self.init(path: wish)
                return
            case .foreign(let sentence): reason = "\(wish) cannot be used: \(sentence)"
            case .unwritable where isInUse(StateRoot(path: wish)):
                self.init(path: wish)
                return
            case .unwritable: reason = "\(wish) cannot be written to"
            }
        }
        guard let place = places.firstUsable(environment) else { throw .nowhere }
        self.init(
            path: place,
            notice: "state is kept in \(place), as \(reason); say where else by ORCHESTRATE_STATE_DIR")
    }

    /// Which of the variables says where. Nil: none.
    package static func decidingVariable(in environment: [String: String]) -> String? {
        if let own = environment["ORCHESTRATE_STATE_DIR"], !own.isEmpty { return "ORCHESTRATE_STATE_DIR" }
        return ["XDG_STATE_HOME", "HOME"].first { environment[$0]?.hasPrefix("/") == true }
    }

    private static func wish(_ environment: [String: String], _ workingDirectory: String) -> String? {
        // The specification has relative values ignored.
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            return absolute(state, in: workingDirectory) + "/orchestrate"
        }
        let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? homeFromPasswd()
        guard let home, home.hasPrefix("/") else { return nil }
        let directory = absolute(home, in: workingDirectory)
        return (directory == "/" ? "" : directory) + "/.local/state/orchestrate"
    }

    /// Every project that has state here.
    package func projects() -> [ProjectLocation] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var found: [ProjectLocation] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix("."),
                let identity = ProjectLocation.identity(keptIn: path + "/" + name)
            else { continue }
            found.append(ProjectLocation(identity: identity, stateDirectory: path + "/" + name))
        }
        return found.sorted { $0.identity < $1.identity }
    }

    private static func absolute(_ path: String, in directory: String) -> String {
        var full = path.hasPrefix("/") ? path : directory + "/" + path
        while full.count > 1, full.hasSuffix("/") { full.removeLast() }
        return full
    }

    private static func homeFromPasswd() -> String? {
        guard let entry = getpwuid(geteuid()), let home = entry.pointee.pw_dir else { return nil }
        return String(cString: home)
    }
}

/// Why a project can't keep its state where it should.
package enum ProjectLocationError: Error, Hashable, Sendable, CustomStringConvertible {
    case nowhere
    case unusable(directory: String, reason: String)
    case taken(directory: String, by: String)
    /// What a variable says is no UTF-8, and would be another directory as text.
    case noText(variable: String, bytes: String)

    package var description: String {
        switch self {
        case .nowhere:
            "there is no home directory that can keep state, and none of $XDG_RUNTIME_DIR, /run, /dev/shm and /tmp can: "
                + "this user may not write there, or everybody may and there is no sticky bit; say where by "
                + "ORCHESTRATE_STATE_DIR"
        case .unusable(let directory, let reason):
            "cannot keep state in \(directory): \(reason); say where by ORCHESTRATE_STATE_DIR"
        case .taken(let directory, let owner):
            "the state directory \(directory) belongs to '\(owner)'; choose another by ORCHESTRATE_STATE_DIR"
        case .noText(let variable, let bytes):
            "cannot keep state where \(variable) says (\(bytes)): the path is not UTF-8; say where by "
                + "ORCHESTRATE_STATE_DIR, with a path that is"
        }
    }
}

private func lastError() -> String { String(cString: strerror(errno)).lowercased() }

/// The first 64 KiB of a file, or nil.
private func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = read(descriptor, &buffer, buffer.count)
    return count >= 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
}
