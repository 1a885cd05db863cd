import Glibc

/// The projects of this user that have FIFOs in memory, whatever the place of their state.
package enum FifoOwners {
    /// The state directories that are led back to. Such a project runs, or was lost.
    package static func stateDirectories() -> [String] {
        var roots = FifoDirectory.rootsInMemory()
        // Who has no `$XDG_RUNTIME_DIR`, as under cron, looks where a login has it.
        let usual = "/run/user/\(geteuid())/orchestrate"
        if !roots.contains(usual) { roots.append(usual) }
        var found: Set<String> = []
        for root in roots {
            guard let descriptor = FifoDirectory.open(root) else { continue }
            close(descriptor)
            for name in (try? Directory.names(in: root)) ?? [] {
                if let state = FifoDirectory.target(of: "\(root)/\(name)/\(FifoDirectory.back)") { found.insert(state) }
            }
        }
        return found.sorted()
    }
}
