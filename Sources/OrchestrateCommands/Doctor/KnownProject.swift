import CProcess
import ControlClient
import Glibc
import StateStore
import Supervision

/// A project with state on this machine, as far as its records can be read. Looks only.
struct KnownProject {
    let location: ProjectLocation
    /// What marks its processes and names its cgroups. Nil: it has no readable records.
    let nonce: UInt32?
    /// Keeper or supervisor live.
    let isSupervised: Bool

    init(_ location: ProjectLocation) {
        self.location = location
        let header = LivingSidecars.header(of: location)
        nonce = header?.nonce
        isSupervised =
            header.map { orch_process_lives($0.keeper_pid, $0.keeper_start_time) != 0 } ?? false
            || Self.answers(location)
    }

    /// Those below the root, and those that keepers and supervisors that run now keep elsewhere.
    static func all(below root: StateRoot) -> [KnownProject] {
        var locations = root.projects()
        let known = Set(locations.map(\.stateDirectory))
        for directory in directoriesInUse() where !known.contains(directory) {
            let identity = ProjectLocation.identity(keptIn: directory) ?? directory
            locations.append(ProjectLocation(identity: identity, stateDirectory: directory))
        }
        return locations.map(KnownProject.init)
    }

    /// A full backlog is a sign of life too.
    private static func answers(_ location: ProjectLocation) -> Bool {
        let descriptor = orch_unix_connect(location.socketPath)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0 || descriptor == -EAGAIN
    }

    /// From the arguments of whatever is called like a keeper or supervisor of ours. One that lies hides a leak from
    /// itself, and nothing more.
    private static func directoriesInUse() -> Set<String> {
        var found: Set<String> = []
        for pid in ProcFile.pids() ?? [] {
            guard let command = ProcFile.text("/proc/\(pid)/comm"), command.hasPrefix("orchestrate"),
                let text = ProcFile.text("/proc/\(pid)/cmdline")
            else { continue }
            let words = text.split(separator: "\0", omittingEmptySubsequences: false)
            if let flag = words.firstIndex(of: "--state-directory"), flag + 1 < words.count {
                found.insert(String(words[flag + 1]))
            }
        }
        return found
    }
}
