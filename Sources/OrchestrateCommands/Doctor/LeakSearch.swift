import Glibc
import StateStore
import Supervision

/// A process of a sidecar that nobody supervises any more.
struct Leak: Encodable, Hashable {
    var pid: Int32
    var command: String
    var uid: UInt32
    /// Field 22 of /proc/PID/stat: with the pid and the boot, its identity.
    var startTime: UInt64
    /// The project it was started by. Nil: its state is gone.
    var project: String?
    /// By what it is known to be ours: `mark`, or the path of a cgroup.
    var evidence: String

    enum CodingKeys: String, CodingKey { case pid, command, uid, project, evidence, startTime = "start_time" }
}

/// Finds what bears our mark, or sits in our cgroups, and belongs to no living supervisor. Signals nothing.
enum LeakSearch {
    static func leaks(among projects: [KnownProject]) -> [Leak] {
        let supervised = Set(projects.filter(\.isSupervised).compactMap(\.nonce))
        return MarkedProcess.all().filter { $0.nonces.isDisjoint(with: supervised) }.map { process in
            let owner = projects.first { $0.nonce.map(process.nonces.contains) ?? false }
            return Leak(
                pid: process.pid, command: process.command, uid: process.uid, startTime: process.startTime,
                project: owner?.location.identity, evidence: text(process.evidence))
        }
    }

    private static func text(_ evidence: MarkedProcess.Evidence) -> String {
        switch evidence {
        case .mark: "mark"
        case .cgroup(let path): path
        }
    }

    /// What to do about those of one project.
    static func remedy(for leak: Leak) -> String {
        guard let project = leak.project else {
            return "the state of its project is gone, so nothing can take it up: look at it, then kill \(leak.pid)"
        }
        return "take it up or end it: orchestrate status --project '\(project)', orchestrate down --project '\(project)'"
    }
}
