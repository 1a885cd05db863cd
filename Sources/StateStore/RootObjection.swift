import Glibc

/// Why no state is kept below a directory: others could exchange what is in it. Found before anything is made there.
package struct RootObjection: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case foreign
        /// Where the link leads may be changed by whoever made it.
        case foreignLink
        /// Everybody may rename what is in it.
        case open
    }

    /// The root itself, the directory above it, or where a link to it leads.
    package let directory: String
    package let reason: Reason

    package var sentence: String {
        switch reason {
        case .foreign: "it belongs to another user"
        case .foreignLink: "the link belongs to another user"
        case .open: "everybody may write to it"
        }
    }

    package var remedy: String? {
        switch reason {
        case .foreign, .foreignLink: nil
        case .open: "chmod o-w \(directory)"
        }
    }

    private init(_ directory: String, _ reason: Reason) {
        self.directory = directory
        self.reason = reason
    }

    /// Nil: there is none, or nothing is there yet.
    package init?(to root: String) {
        guard let found = Self.find(at: root) else { return nil }
        self = found
    }

    private static func find(at root: String) -> RootObjection? {
        var isShared = false
        let parent = StatePlaces.parent(of: root)
        var above = stat()
        // What has to be made above it is ours alone then.
        if stat(parent, &above) == 0, above.st_mode & S_IWOTH != 0 {
            guard above.st_mode & S_ISVTX != 0 else { return RootObjection(parent, .open) }
            isShared = true
        }
        var info = stat()
        guard lstat(root, &info) == 0 else { return nil }
        let isLink = info.st_mode & S_IFMT == S_IFLNK
        // Where everyone may make directories, one under our name is to be ours, and not just root's.
        guard info.st_uid == geteuid() || (info.st_uid == 0 && !isShared) else {
            return RootObjection(root, isLink ? .foreignLink : .foreign)
        }
        if isLink {
            guard let target = realpath(root, nil) else { return nil }
            defer { free(target) }
            return find(at: String(cString: target))
        }
        return info.st_mode & S_IWOTH != 0 && info.st_mode & S_ISVTX == 0 ? RootObjection(root, .open) : nil
    }
}
