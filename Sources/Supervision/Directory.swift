import Glibc

/// Directories of the state, private to their user.
package enum Directory {
    /// Creates it and its missing parents, 0700; one that is there keeps its mode.
    package static func create(_ path: String) throws(SystemError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw .last("mkdir \(path)")
        }
        try create(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .last("mkdir \(path)") }
    }

    /// Removes the files in it, and then itself. Nothing to do where there is none; what can't be removed stays.
    package static func remove(_ path: String) {
        for name in (try? names(in: path)) ?? [] { unlink(path + "/" + name) }
        rmdir(path)
    }

    /// Names without `.` and `..`, in no order.
    /// - Parameter prefix: of those that are wanted; among thousands the others cost little then.
    package static func names(in path: String, beginningWith prefix: String = "") throws(SystemError) -> [String] {
        guard let stream = opendir(path) else { throw .last("opendir \(path)") }
        defer { closedir(stream) }
        var names: [String] = []
        let length = prefix.utf8.count
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) {
                    strncmp($0, prefix, length) == 0 ? String(cString: $0) : nil
                }
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
