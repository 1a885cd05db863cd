import Glibc

/// Where state can go on a machine, or in a container, where the usual place can't be written to.
///
/// Every command looks through the same list, so that they find each other; what they find is then proved by the project
/// inside.
package struct StatePlaces: Sendable {
    /// Of whom they are to be.
    package var user: UInt32
    /// Whether a directory of ours is there, or can be made there.
    package var canHold: @Sendable (String) -> Bool

    package init() { self.init(user: geteuid()) { Self.canHold($0) } }

    package init(user: UInt32, canHold: @escaping @Sendable (String) -> Bool) {
        self.user = user
        self.canHold = canHold
    }

    /// `$XDG_RUNTIME_DIR`, `/run`, and the two where everyone may write, there under this user's number. Not where the FIFOs
    /// of other projects are: those come and go.
    package func firstUsable(_ environment: [String: String]) -> String? {
        var places: [String] = []
        if let runtime = environment["XDG_RUNTIME_DIR"], runtime.hasPrefix("/") {
            places.append(runtime + "/orchestrate-state")
        }
        places += ["/run/orchestrate-state", "/dev/shm/orchestrate-state-\(user)", "/tmp/orchestrate-state-\(user)"]
        return places.first(where: canHold)
    }

    private static func canHold(_ path: String) -> Bool {
        var info = stat()
        if lstat(path, &info) == 0 {
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { return false }
            return info.st_uid == geteuid() && access(path, W_OK | X_OK) == 0
        }
        guard errno == ENOENT, path != "/" else { return false }
        let above = parent(of: path)
        if access(above, F_OK) == 0 { return access(above, W_OK | X_OK) == 0 }
        return canHold(above)
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
