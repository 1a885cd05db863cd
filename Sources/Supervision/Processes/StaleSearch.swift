import CProcess
import Glibc

/// A process that an earlier life of a sidecar left behind.
package struct StaleProcess: Hashable, Sendable {
    package var pid: Int32
    /// With the pid, its identity.
    package var startTime: UInt64
    package var executable: String

    package init(pid: Int32, startTime: UInt64, executable: String) {
        self.pid = pid
        self.startTime = startTime
        self.executable = executable
    }
}

/// What is to be looked for, and what there is.
///
/// A left-over is proved by three things together: it runs as the sidecar's user, no parent of it lives, and it runs
/// exactly the sidecar's executable or carries a mark of ours and this sidecar's name. What belongs to another project,
/// to a parent or to a service manager is left alone.
package struct StaleSearch: Sendable {
    package struct Result: Sendable {
        package var found: [StaleProcess] = []
        /// Likely looking ones that are not ours to end, each with the reason.
        package var leftAlone: [(process: StaleProcess, reason: String)] = []
    }

    package var executable: String
    /// Nil: the user who looks.
    package var user: String?
    package var project: String
    package var sidecar: String
    /// That of the project's own spawn records: what carries it is supervised, or will be adopted.
    package var ownNonce: UInt32?
    /// Those of other projects, and where these keep their state.
    package var others: [UInt32: String]

    package init(
        executable: String, user: String?, project: String, sidecar: String, ownNonce: UInt32?,
        others: [UInt32: String]
    ) {
        self.executable = executable
        self.user = user
        self.project = project
        self.sidecar = sidecar
        self.ownNonce = ownNonce
        self.others = others
    }

    /// The number by which spawn records mark processes; nil when there are none of this boot.
    package static func nonce(ofRecordsAt path: String) -> UInt32? {
        guard let bytes = ProcFile.bytes(path, limit: Int(ORCH_HEADER_SIZE)), bytes.count >= ORCH_HEADER_SIZE else {
            return nil
        }
        let header = bytes.withUnsafeBytes { $0.loadUnaligned(as: orch_records_header.self) }
        guard header.version == ORCH_RECORDS_VERSION, header.boot_hash == orch_boot_hash() else { return nil }
        return header.nonce
    }

    /// Looks at every process; takes milliseconds for hundreds of them.
    package func run() -> Result {
        var result = Result()
        guard let uid = userNumber(), let pids = ProcFile.pids() else { return result }
        var file = stat()
        let isThere = stat(executable, &file) == 0
        for pid in pids.sorted() where pid != getpid() {
            guard let seen = look(pid, uid: uid, file: isThere ? file : nil) else { continue }
            if let reason = reasonToLeave(pid) {
                result.leftAlone.append((seen, reason))
            } else {
                result.found.append(seen)
            }
        }
        return result
    }

    private func userNumber() -> UInt32? {
        guard let user else { return geteuid() }
        return ((try? Account.find(user)) ?? nil)?.user ?? UInt32(user)
    }

    private func look(_ pid: Int32, uid: UInt32, file: stat?) -> StaleProcess? {
        guard Self.user(of: pid) == uid else { return nil }
        guard let facts = orch_process_facts(living: pid) else { return nil }
        var nonce: UInt32 = 0
        let isMarked = orch_process_any_mark(pid, &nonce) != 0
        guard !isMarked || nonce != ownNonce else { return nil }
        guard runsExecutable(pid, file) || (isMarked && isNamed(pid)) else { return nil }
        return StaleProcess(pid: pid, startTime: facts.start_time, executable: Self.executable(of: pid) ?? executable)
    }

    private func runsExecutable(_ pid: Int32, _ file: stat?) -> Bool {
        var running = stat()
        if let file, stat("/proc/\(pid)/exe", &running) == 0, running.st_dev == file.st_dev,
            running.st_ino == file.st_ino
        {
            return true
        }
        // An upgrade has put another file in its place.
        return Self.executable(of: pid) == executable + " (deleted)"
    }

    private func isNamed(_ pid: Int32) -> Bool {
        guard let environment = ProcFile.bytes("/proc/\(pid)/environ", limit: 1 << 20) else { return false }
        let variables = environment.split(separator: 0)
        return variables.contains { $0.elementsEqual("ORCHESTRATE_PROJECT=\(project)".utf8) }
            && variables.contains { $0.elementsEqual("ORCHESTRATE_SIDECAR=\(sidecar)".utf8) }
    }

    private func reasonToLeave(_ pid: Int32) -> String? {
        var nonce: UInt32 = 0
        if orch_process_any_mark(pid, &nonce) != 0, let owner = others[nonce] {
            return "it belongs to the project with its state in \(owner)"
        }
        var facts = orch_process_facts()
        guard orch_process_look(pid, &facts) == 0 else { return "it is just ending" }
        guard Self.adoptsOrphans(facts.parent) else { return "its parent \(facts.parent) lives" }
        if let unit = Self.serviceUnit(of: pid) { return "it belongs to the service \(unit)" }
        return nil
    }

    // MARK: What /proc says

    private static func user(of pid: Int32) -> UInt32? {
        guard let status = ProcFile.text("/proc/\(pid)/status") else { return nil }
        for line in status.split(separator: "\n") where line.hasPrefix("Uid:") {
            return line.dropFirst(4).split(separator: "\t").first.flatMap { UInt32($0) }
        }
        return nil
    }

    private static func executable(of pid: Int32) -> String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let size = readlink("/proc/\(pid)/exe", &path, path.count - 1)
        guard size > 0 else { return nil }
        return String(decoding: path.prefix(size).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The first process, and the service manager of a user's session.
    private static func adoptsOrphans(_ pid: Int32) -> Bool {
        if pid <= 1 { return true }
        var facts = orch_process_facts()
        guard orch_process_look(pid, &facts) == 0, facts.parent == 1 else { return false }
        return ProcFile.text("/proc/\(pid)/comm") == "systemd\n"
    }

    /// A service manager's own child has the first process for a parent too.
    private static func serviceUnit(of pid: Int32) -> String? {
        guard let groups = ProcFile.text("/proc/\(pid)/cgroup") else { return nil }
        for line in groups.split(separator: "\n") {
            guard let name = line.split(separator: "/").last, name.hasSuffix(".service") else { continue }
            return String(name)
        }
        return nil
    }
}
