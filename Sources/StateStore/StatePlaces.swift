import Glibc

/// Where state can go on a machine, or in a container, where the usual place can't be written to.
///
/// Every command looks through the same list, so that they find each other; what they find is then proved by the project
/// inside.
package struct StatePlaces: Sendable {
    package enum Obstacle: Hashable, Sendable {
        case unwritable
        /// Others made it, as a sentence says.
        case foreign(String)
        /// Everybody may write to it. Where it was wished for, it is refused, with the way to mend it.
        case open
    }

    /// Of whom they are to be.
    package var user: UInt32
    /// Why no directory of ours is there, or can be made there. Nil: it is, or can be.
    package var obstacle: @Sendable (String) -> Obstacle?

    package init() { self.init(user: geteuid()) { Self.obstacle($0) } }

    package init(user: UInt32, obstacle: @escaping @Sendable (String) -> Obstacle?) {
        self.user = user
        self.obstacle = obstacle
    }

    /// `$XDG_RUNTIME_DIR`, `/run`, and the two where everyone may write, there under this user's number. Not where the FIFOs
    /// of other projects are: those come and go.
    package func firstUsable(_ environment: [String: String]) -> String? {
        var places: [String] = []
        if let runtime = environment["XDG_RUNTIME_DIR"], runtime.hasPrefix("/") {
            places.append(runtime + "/orchestrate-state")
        }
        places += ["/run/orchestrate-state", "/dev/shm/orchestrate-state-\(user)", "/tmp/orchestrate-state-\(user)"]
        return places.first { obstacle($0) == nil }
    }

    private static func obstacle(_ path: String) -> Obstacle? {
        if let objection = RootObjection(to: path) {
            return objection.reason == .open ? .open : .foreign(objection.sentence)
        }
        var info = stat()
        if lstat(path, &info) == 0 {
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, access(path, W_OK | X_OK) == 0 else {
                return .unwritable
            }
            return info.st_uid == geteuid() ? nil : .foreign("it belongs to another user")
        }
        return errno == ENOENT && canMake(path) ? nil : .unwritable
    }

    private static func canMake(_ path: String) -> Bool {
        guard path != "/" else { return false }
        let above = parent(of: path)
        if access(above, F_OK) == 0 { return access(above, W_OK | X_OK) == 0 }
        var info = stat()
        return lstat(above, &info) != 0 && errno == ENOENT && canMake(above)
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
