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
    /// - Parameter projects: asked for after the processes were listed: one that was started meanwhile is no leak, nor
    ///   is what ended with its supervisor meanwhile.
    static func run(among projects: () -> [KnownProject]) -> (leaks: [Leak], projects: [KnownProject]) {
        let processes = MarkedProcess.all()
        let projects = projects()
        let supervised = Set(projects.filter(\.isSupervised).compactMap(\.nonce))
        let leaks = processes.filter { $0.nonces.isDisjoint(with: supervised) && $0.isAlive }.map { process in
            let owner = projects.first { $0.nonce.map(process.nonces.contains) ?? false }
            return Leak(
                pid: process.pid, command: process.command, uid: process.uid, startTime: process.startTime,
                project: owner?.location.identity, evidence: text(process.evidence))
        }
        return (leaks, projects)
    }

    private static func text(_ evidence: MarkedProcess.Evidence) -> String {
        switch evidence {
        case .mark: "mark"
        case .cgroup(let path): path
        }
    }

    /// What to do, once for each project.
    static func remedies(for leaks: [Leak]) -> [String] {
        var projects: [String] = []
        for project in leaks.compactMap(\.project) where !projects.contains(project) { projects.append(project) }
        var remedies = projects.map { project in
            "orchestrate up -d --project '\(project)' takes them up, orchestrate down --project '\(project)' ends them"
        }
        let strays = leaks.filter { $0.project == nil }.map { String($0.pid) }
        if !strays.isEmpty {
            remedies.append(
                "the state of what has no project is gone, so nothing can take it up: look at it, then kill "
                    + strays.joined(separator: " "))
        }
        return remedies
    }

    static func sentence(on fifos: [String]) -> String {
        "\(fifos.count) \(fifos.count == 1 ? "directory" : "directories") in memory of projects whose state is gone"
    }

    static let remedyForFIFOs = "the next start of a project removes them"
}
