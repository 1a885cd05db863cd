import CProcess
import Glibc

/// A directory of cgroup2 in which every spawn gets a cgroup of its own.
///
/// Nothing in it changes after `init`; what it does are system calls, from the loop's thread and the spawner's.
struct ControlGroups: Sendable {
    /// Of the directory's name; the nonce of the project's records follows in hexadecimal, and a number of its own: what
    /// a life whose records were lost left there is not to be mixed up with what is new.
    static let namePrefix = "orchestrate-"

    let path: String
    private let directory: Int32

    /// Why there is none, as a sentence.
    struct Unusable: Error { var reason: String }

    /// Uses the directory the records name, if somebody lives there or it is beside us, else makes one beside us: what we
    /// start is limited and frozen with us, wherever an earlier life was.
    static func find(recorded: String, nonce: UInt32) throws(Unusable) -> ControlGroups {
        if !recorded.isEmpty, isPopulated(recorded), let groups = try? ControlGroups(path: recorded) { return groups }
        let place = try placeOfOwn()
        if !recorded.isEmpty {
            if parent(of: recorded) == place, let groups = try? ControlGroups(path: recorded) { return groups }
            removeTree(recorded, depth: 0)
        }
        let own = String(UInt32.random(in: 0 ... .max), radix: 16)
        return try ControlGroups(path: "\(place)/\(namePrefix)\(String(nonce, radix: 16)).\(own)")
    }

    /// Where a directory of ours belongs.
    private static func placeOfOwn() throws(Unusable) -> String {
        guard let mount = mountPoint() else { throw Unusable(reason: "no cgroup2 is mounted") }
        guard let ownGroup = ownGroup() else { throw Unusable(reason: "no cgroup2 membership is readable") }
        guard ownGroup == "/" else { return mount + ownGroup }
        if access("/run/systemd/system", F_OK) == 0 {
            throw Unusable(reason: "in the root cgroup beside systemd, which owns it")
        }
        return mount
    }

    private init(path: String) throws(Unusable) {
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw Unusable(reason: "cannot make the cgroup \(path): \(SystemError.message(for: errno))")
        }
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            throw Unusable(reason: "cannot open the cgroup \(path): \(SystemError.message(for: errno))")
        }
        self.path = path
        self.directory = directory
        guard faccessat(directory, "cgroup.kill", W_OK, 0) == 0 else {
            discard()
            throw Unusable(reason: "this kernel's cgroups have no cgroup.kill")
        }
        let failure = orch_try_cgroup(directory)
        guard failure == 0 else {
            discard()
            throw Unusable(reason: "cannot clone into the cgroup \(path): \(SystemError.message(for: -failure))")
        }
    }

    /// Removes the directory and the cgroups in it, as far as nobody is left there.
    func discard() {
        close(directory)
        Self.removeTree(path, depth: 0)
    }

    /// The same for the directory the records name, by who does without.
    static func discard(recorded: String) { if !recorded.isEmpty { removeTree(recorded, depth: 0) } }

    /// Removes those beside it that lives without records left, as far as nobody is in them.
    func removeFormer() {
        guard let slash = path.lastIndex(of: "/"), let dot = path.lastIndex(of: "."), slash < dot else { return }
        let (parent, name) = (String(path[..<slash]), String(path[path.index(after: slash)...]))
        let stem = path[path.index(after: slash)...dot]
        for other in (try? Directory.names(in: parent)) ?? [] where other.hasPrefix(stem) && other != name {
            Self.removeTree(parent + "/" + other, depth: 0)
        }
    }

    // MARK: One process's cgroup

    private static func name(_ id: ProcessID) -> String { "\(id.slot).\(id.generation)" }

    func directoryPath(of id: ProcessID) -> String { path + "/" + Self.name(id) }

    /// A descriptor to clone into, or -errno.
    func make(_ id: ProcessID) -> Int32 {
        let name = Self.name(id)
        if mkdirat(directory, name, 0o755) != 0, errno != EEXIST { return -errno }
        let descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        return descriptor >= 0 ? descriptor : -errno
    }

    /// Removes it if nobody is in it; true when it is gone. What can be removed was empty, and nobody can be cloned into
    /// it any more.
    func removeIfEmpty(_ id: ProcessID) -> Bool {
        unlinkat(directory, Self.name(id), AT_REMOVEDIR) == 0 || errno == ENOENT
    }

    /// Removes it, and what its processes made in it.
    func remove(_ id: ProcessID) {
        if removeIfEmpty(id) { return }
        Self.removeTree(path + "/" + Self.name(id), depth: 0)
    }

    private static func removeTree(_ path: String, depth: Int) {
        guard depth < 16, let listing = opendir(path) else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { removeTree(path + "/" + name, depth: depth + 1) }
        }
        _ = rmdir(path)
    }

    /// `cgroup.events`, which becomes readable with priority when the last process is gone. -1 when there is no such cgroup.
    func openEvents(_ id: ProcessID) -> Int32 {
        openat(directory, Self.name(id) + "/cgroup.events", O_RDONLY | O_CLOEXEC)
    }

    /// Whether somebody is in it or below.
    private static func isPopulated(_ path: String) -> Bool {
        ProcFile.text(path + "/cgroup.events")?.split(separator: "\n").contains("populated 1") ?? false
    }

    static func isPopulated(events descriptor: Int32) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { text in
            let size = pread(descriptor, text.baseAddress, text.count, 0)
            // A cgroup that was removed has nobody in it.
            guard size > 0 else { return false }
            // `populated 0` is the first line, but nobody promised that.
            return text[..<size].split(separator: UInt8(ascii: "\n")).contains { $0.elementsEqual("populated 1".utf8) }
        }
    }

    func kill(_ id: ProcessID) {
        let descriptor = openat(directory, Self.name(id) + "/cgroup.kill", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, "1", 1)
        close(descriptor)
    }

    /// The processes in it and below.
    func members(_ id: ProcessID) -> [Int32] {
        var pids: [Int32] = []
        collect(path + "/" + Self.name(id), into: &pids, depth: 0)
        return pids
    }

    private func collect(_ path: String, into pids: inout [Int32], depth: Int) {
        guard depth < 16 else { return }
        if let text = ProcFile.text(path + "/cgroup.procs", limit: .max) {
            pids += text.split(separator: "\n").compactMap { Int32($0) }
        }
        // A directory has a link from itself, from above, and from each directory in it.
        var facts = stat()
        if stat(path, &facts) == 0, facts.st_nlink == 2 { return }
        guard let listing = opendir(path) else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { collect(path + "/" + name, into: &pids, depth: depth + 1) }
        }
    }

    /// Signals every member that is still one while a pidfd holds it.
    func signal(_ id: ProcessID, _ number: Int32) {
        for pid in members(id) {
            let descriptor = orch_pidfd_open(pid)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            if contains(id, pid), orch_pidfd_has_ended(descriptor) == 0 { _ = orch_pidfd_signal(descriptor, number) }
        }
    }

    private func contains(_ id: ProcessID, _ pid: Int32) -> Bool {
        guard let group = Self.group(of: pid) else { return false }
        let own = path.split(separator: "/").last.map(String.init) ?? path
        return (group + "/").contains("/\(own)/\(Self.name(id))/")
    }

    // MARK: Where cgroup2 is

    /// The cgroup this process is in, unless it is one to stay out of.
    static func placeForOwn() -> String? { try? placeOfOwn() }

    static func ownGroup() -> String? { group(of: getpid()) }

    static func group(of pid: Int32) -> String? {
        guard let text = ProcFile.text("/proc/\(pid)/cgroup") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("0::") { return String(line.dropFirst(3)) }
        return nil
    }

    static func mountPoint() -> String? {
        guard let text = ProcFile.text("/proc/self/mountinfo", limit: .max) else { return nil }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            // `36 35 98:0 /root /mount/point options … - type source …`; blanks in a path are written as \040.
            guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields[dash + 1] == "cgroup2",
                fields.count > 4, fields[3] == "/", !fields[4].contains("\\")
            else { continue }
            return String(fields[4])
        }
        return nil
    }
}
