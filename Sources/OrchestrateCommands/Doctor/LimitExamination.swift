import Glibc
import Supervision

/// How many sidecars the limits of this user and session have room for.
enum LimitExamination {
    static func findings() -> [Finding] {
        [files(), processes(), pipes(), memoryPlace()].compactMap(\.self)
    }

    /// Of a sidecar: two FIFOs, its pidfd, the events of its cgroup, and something to spare.
    private static let filesPerSidecar = 6
    private static let ownFiles = 64

    private static func files() -> Finding? {
        guard let hard = limit(RLIMIT_NOFILE)?.hard else { return nil }
        let room = max(0, (min(hard, 1 << 30) - ownFiles) / filesPerSidecar)
        let detail = "\(shown(hard)) files may be open: room for about \(room) sidecars"
        let remedy = "raise it: ulimit -Hn 65536, LimitNOFILE= of the service, or /etc/security/limits.conf"
        if hard < 256 { return .wrong("limits", "open files", detail, remedy: remedy) }
        return hard < 4096
            ? .notice("limits", "open files", detail, remedy: remedy) : .good("limits", "open files", detail)
    }

    private static func processes() -> Finding? {
        var rooms: [(room: Int, what: String, remedy: String)] = []
        // Root is not bound by it.
        if geteuid() != 0, let limits = limit(__RLIMIT_NPROC), limits.soft < 1 << 40 {
            rooms.append(
                (
                    limits.soft - threadsOfUser(), "ulimit -u is \(limits.soft)",
                    "raise it: ulimit -u, LimitNPROC= of the service, or /etc/security/limits.conf"
                ))
        }
        if let group = processesOfGroup() {
            rooms.append(
                (group.most - group.now, "pids.max of the cgroup is \(group.most)", "raise pids.max, or TasksMax="))
        }
        guard let tightest = rooms.min(by: { $0.room < $1.room }) else {
            return .good("limits", "processes", "no limit but the kernel's")
        }
        let detail = "room for \(max(0, tightest.room)) more: \(tightest.what)"
        if tightest.room < 16 { return .wrong("limits", "processes", detail, remedy: tightest.remedy) }
        return tightest.room < 256
            ? .notice("limits", "processes", detail, remedy: tightest.remedy) : .good("limits", "processes", detail)
    }

    /// Past the soft limit the kernel shrinks each further pipe of the user; ours stay under half of it.
    private static func pipes() -> Finding? {
        guard let text = ProcFile.text("/proc/sys/fs/pipe-user-pages-soft"),
            let pages = Int(text.filter(\.isNumber)), pages > 0
        else { return .good("limits", "pipe memory", "no limit") }
        // Sixteen pages are the usual pipe; near the limit it is given four.
        let detail = "pipe-user-pages-soft is \(pages): room for the outputs of about \(pages / 2 / 4) sidecars"
        return pages < 1024
            ? .notice(
                "limits", "pipe memory", detail + "; a sidecar that writes much waits sooner",
                remedy: "sysctl fs.pipe-user-pages-soft=16384")
            : .good("limits", "pipe memory", detail)
    }

    private static func memoryPlace() -> Finding {
        guard let place = MemoryPlace.forFifos else {
            return .notice(
                "limits", "FIFOs", "no directory in memory: they are in the state directory, and starts take longer",
                remedy: "set XDG_RUNTIME_DIR to a directory of yours on a tmpfs")
        }
        return .good("limits", "FIFOs", "in memory, below \(place)")
    }

    // MARK: Reading

    private static func limit(_ resource: __rlimit_resource) -> (soft: Int, hard: Int)? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return nil }
        return (Int(clamping: limit.rlim_cur), Int(clamping: limit.rlim_max))
    }

    private static func shown(_ count: Int) -> String { count > 1 << 40 ? "any number of" : String(count) }

    private static func threadsOfUser() -> Int {
        (ProcFile.pids() ?? []).reduce(0) { sum, pid in
            var info = stat()
            guard stat("/proc/\(pid)", &info) == 0, info.st_uid == geteuid() else { return sum }
            // One of its links each; `.`, `..` and the parent's are three of them.
            var tasks = stat()
            return sum + (stat("/proc/\(pid)/task", &tasks) == 0 ? max(1, Int(tasks.st_nlink) - 2) : 1)
        }
    }

    /// Of the cgroup with the least room, up to the root.
    private static func processesOfGroup() -> (now: Int, most: Int)? {
        OwnControlGroup.directories.compactMap { directory in
            guard let most = number(in: directory + "/pids.max"), let now = number(in: directory + "/pids.current")
            else { return nil }
            return (now, most)
        }.min { $0.most - $0.now < $1.most - $1.now }
    }

    private static func number(in path: String) -> Int? {
        ProcFile.text(path).flatMap { Int($0.filter { !$0.isWhitespace }) }
    }
}
