/// The cgroup this process is in.
package enum OwnControlGroup {
    /// Its directory and those above it, whose limits bind it too. Empty where no cgroup2 is mounted.
    package static var directories: [String] {
        guard let mount = ControlGroups.mountPoint(), let own = ControlGroups.ownGroup() else { return [] }
        let parts = own.split(separator: "/")
        return (0...parts.count).reversed().map { ([mount[...]] + parts.prefix($0)).joined(separator: "/") }
    }
}
