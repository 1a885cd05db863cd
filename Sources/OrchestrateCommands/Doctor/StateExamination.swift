import CProcess
import Glibc
import StateStore
import Supervision

/// Whether the directory of all state is private, has room, and is on a file system that can do what we need.
enum StateExamination {
    static func findings(of root: StateRoot) -> [Finding] {
        guard let place = existing(root.path) else {
            return [
                .wrong(
                    "state", root.path, "there is no such place, nor a parent of it",
                    remedy: "say where to keep state by ORCHESTRATE_STATE_DIR")
            ]
        }
        if let objection = RootObjection(to: root.path) {
            // Nothing is tried in what is another's.
            return [
                .wrong(
                    "state", objection.directory, objection.sentence,
                    remedy: objection.remedy ?? "chown it, or use ORCHESTRATE_STATE_DIR")
            ]
        }
        let isThere = place == root.path
        var findings = [access(to: place, isThere: isThere, root)]
        if let notice = root.notice { findings.append(.notice("state", "place", notice)) }
        if let space = space(in: place) { findings.append(space) }
        return findings + FileSystemTrial.findings(in: place)
    }

    /// The path, or its nearest parent that is there.
    private static func existing(_ path: String) -> String? {
        var path = path
        while Glibc.access(path, F_OK) != 0 {
            guard let slash = path.lastIndex(of: "/"), path != "/" else { return nil }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        return path
    }

    private static func access(to place: String, isThere: Bool, _ root: StateRoot) -> Finding {
        var info = stat()
        guard stat(place, &info) == 0 else {
            return .wrong("state", place, SystemError.last("stat").message, remedy: "make it readable for this user")
        }
        guard isThere else {
            return Glibc.access(place, W_OK | X_OK) == 0
                ? .good("state", root.path, "not there yet; the first up makes it")
                : .wrong(
                    "state", root.path, "not there, and \(place) does not let this user make it",
                    remedy: "say where to keep state by ORCHESTRATE_STATE_DIR")
        }
        let mode = String(info.st_mode & 0o7777, radix: 8)
        guard Glibc.access(place, W_OK | X_OK) == 0 else {
            return .wrong("state", place, "mode \(mode): not writable for this user", remedy: "chmod u+rwx \(place)")
        }
        return .good("state", place, "mode \(mode), of this user; each project's own directory is 0700")
    }

    private static func space(in place: String) -> Finding? {
        var info = statvfs()
        guard statvfs(place, &info) == 0, info.f_blocks > 0 else { return nil }
        let free = Int64(clamping: UInt64(info.f_bavail)) * Int64(clamping: UInt64(info.f_frsize))
        let nodes = info.f_files > 0 ? ", \(info.f_favail) files" : ""
        let detail = "\(UnitText.bytes(free)) free\(nodes)"
        let remedy = "free some, or keep state elsewhere by ORCHESTRATE_STATE_DIR"
        if free < 16 << 20 || (info.f_files > 0 && info.f_favail < 100) {
            return .wrong("state", "space", detail, remedy: remedy)
        }
        return free < 256 << 20
            ? .notice("state", "space", detail, remedy: remedy) : .good("state", "space", detail)
    }
}

/// Does in a directory of its own what a supervisor does in its state directory, and removes it.
enum FileSystemTrial {
    static func findings(in place: String) -> [Finding] {
        let umask = Glibc.umask(0o077)
        defer { _ = Glibc.umask(umask) }
        var template = Array("\(place)/.orchestrate-doctor.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            // Said already, by its mode.
            return []
        }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { Directory.remove(directory) }
        let trials: [(name: String, run: (String) throws -> Void, needs: String)] = [
            ("locks", lock, "two supervisors could run for one project"),
            ("FIFOs", fifo, "the output of sidecars cannot be read"),
            ("shared mappings", map, "what runs cannot be put on record"),
            ("Unix sockets", socket, "commands cannot reach the supervisor"),
            ("write-ahead log", log, "the journal cannot be kept"),
        ]
        let failed = trials.compactMap { trial -> Finding? in
            do {
                try trial.run(directory)
                return nil
            } catch {
                return .wrong(
                    "state", trial.name, "\(error): \(trial.needs)",
                    remedy: "keep state on another file system by ORCHESTRATE_STATE_DIR")
            }
        }
        guard failed.isEmpty else { return failed }
        return [.good("state", "file system", trials.map(\.name).joined(separator: ", ") + " work")]
    }

    private static func lock(_ directory: String) throws {
        let path = directory + "/lock"
        let first = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard first >= 0 else { throw SystemError.last("open") }
        defer { close(first) }
        let second = open(path, O_RDWR | O_CLOEXEC)
        guard second >= 0 else { throw SystemError.last("open") }
        defer { close(second) }
        guard flock(first, LOCK_EX | LOCK_NB) == 0 else { throw SystemError.last("flock") }
        guard flock(second, LOCK_EX | LOCK_NB) != 0 else { throw SystemError(call: "a held lock", errno: ENOLCK) }
    }

    private static func fifo(_ directory: String) throws {
        let path = directory + "/fifo"
        guard mkfifo(path, 0o600) == 0 else { throw SystemError.last("mkfifo") }
        let descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError.last("open a FIFO") }
        defer { close(descriptor) }
        var byte: UInt8 = 7
        guard write(descriptor, &byte, 1) == 1, read(descriptor, &byte, 1) == 1 else {
            throw SystemError.last("use a FIFO")
        }
    }

    private static func map(_ directory: String) throws { _ = try SpawnRecords(directory: directory) }

    private static func socket(_ directory: String) throws {
        let listener = orch_unix_listen(directory + "/socket", 1)
        guard listener >= 0 else { throw SystemError(call: "bind", errno: -listener) }
        defer { close(listener) }
        let client = orch_unix_connect(directory + "/socket")
        guard client >= 0 else { throw SystemError(call: "connect", errno: -client) }
        close(client)
    }

    private static func log(_ directory: String) throws { _ = try StateStore(writing: directory + "/journal.db") }
}
