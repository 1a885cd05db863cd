import Glibc

/// Directories of FIFOs in memory that no project leads to any more: its state directory was deleted, and nothing of it
/// was left to remove them. What is in them holds nothing, and costs a little memory until the machine is started again.
package enum FifoLeftovers {
    /// Of this user, wherever they may be.
    package static func find() -> [String] { FifoDirectory.rootsInMemory().flatMap { find(in: $0) } }

    /// Removed when `made` is made beside them, for a project that has the lock of its state directory: what else leads
    /// back there is left by an earlier life of it.
    static func remove(beside made: String, in root: String, of stateDirectory: String) {
        for place in find(in: root, owner: stateDirectory) where place != made { Directory.remove(place) }
    }

    private static func find(in root: String, owner: String? = nil) -> [String] {
        guard let descriptor = FifoDirectory.open(root) else { return [] }
        close(descriptor)
        let names = (try? Directory.names(in: root)) ?? []
        return names.sorted().map { "\(root)/\($0)" }.filter { leadsNowhere($0, owner) && !isHeld($0) }
    }

    private static func leadsNowhere(_ place: String, _ owner: String?) -> Bool {
        var facts = stat()
        guard lstat(place, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR, facts.st_uid == geteuid() else {
            return false
        }
        guard let state = FifoDirectory.target(of: "\(place)/\(FifoDirectory.back)") else {
            // Made by an earlier version, or just being made.
            return isOld(facts)
        }
        if state == owner { return true }
        guard access(state, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR) else { return true }
        return FifoDirectory.target(of: state + "/fifo") != place && isOld(facts)
    }

    /// Who makes one leads to it within moments.
    private static func isOld(_ facts: stat) -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec - facts.st_ctim.tv_sec > 60
    }

    /// Whether a sidecar, a supervisor or a keeper still has one open: an output is held as long as its instance is known.
    /// What goes to a sidecar is not tried, as its reader would see us come and go.
    private static func isHeld(_ place: String) -> Bool {
        let outputs = [InstanceFifo.output, .error].map { ".\($0.rawValue)" }
        return ((try? Directory.names(in: place)) ?? []).contains { name in
            guard outputs.contains(where: name.hasSuffix) else { return false }
            let writer = open("\(place)/\(name)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
            if writer >= 0 { close(writer) }
            return writer >= 0 || errno != ENXIO
        }
    }
}
