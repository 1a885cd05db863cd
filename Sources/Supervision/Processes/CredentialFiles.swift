import Glibc
import SidecarModel

/// Secrets handed to a process as files: 0400 and its user's, in a directory it may list and nobody else may.
package struct CredentialFiles: Sendable {
    /// Absolute; its parents are made.
    package var directory: String
    /// Its parents can be passed by other users, as processes of several have files beneath them.
    package var isShared: Bool
    package var files: [(name: String, bytes: [UInt8])]

    package init(directory: String, isShared: Bool = false, files: [(name: String, bytes: [UInt8])]) {
        self.directory = directory
        self.isShared = isShared
        self.files = files
    }

    /// Before each start. What is there already and right stays: a probe may be reading it.
    func write(for owner: (user: UInt32, group: UInt32)?) throws(SpawnFailure) {
        do throws(SystemError) {
            try Self.prepareParents(of: directory, isPassable: isShared)
            let isForeign = owner.map { $0.user != geteuid() } ?? false
            let descriptor = try Self.open(directory, mode: isForeign ? 0o750 : 0o700, group: owner?.group)
            defer { close(descriptor) }
            for file in files { try Self.write(file.bytes, to: file.name, in: descriptor, owner: owner) }
        } catch {
            throw SpawnFailure(
                step: .environment, message: "cannot write its secrets to \(directory): \(error)", errno: error.errno)
        }
    }

    /// Every instance's, and the directory they are in.
    package static func removeAll(in directory: String) {
        for name in (try? Directory.names(in: directory)) ?? [] { Directory.remove(directory + "/" + name) }
        rmdir(directory)
    }

    /// Makes the directory and its parents, passable for everyone; nobody else can list them.
    package static func makePassable(_ directory: String) throws(SystemError) {
        try prepareParents(of: directory + "/", isPassable: true)
    }

    private static func prepareParents(of path: String, isPassable: Bool) throws(SystemError) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let parent = String(path[..<slash])
        if access(parent, F_OK) == 0 { return }
        try prepareParents(of: parent, isPassable: isPassable)
        guard mkdir(parent, isPassable ? 0o711 : 0o700) == 0 || errno == EEXIST else { throw .last("mkdir \(parent)") }
        // Whatever the umask took away.
        if isPassable { chmod(parent, 0o711) }
    }

    private static func open(_ path: String, mode: mode_t, group: UInt32?) throws(SystemError) -> Int32 {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .last("mkdir") }
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .last("open") }
        var facts = stat()
        let isRight =
            fstat(descriptor, &facts) == 0 && facts.st_uid == geteuid()
            && (group == nil || fchown(descriptor, geteuid(), group ?? 0) == 0) && fchmod(descriptor, mode) == 0
        guard isRight else {
            let number = facts.st_uid == geteuid() ? errno : EPERM
            close(descriptor)
            throw SystemError(call: "take the directory", errno: number)
        }
        return descriptor
    }

    private static func write(
        _ bytes: [UInt8], to name: String, in directory: Int32, owner: (user: UInt32, group: UInt32)?
    ) throws(SystemError) {
        let (user, group) = owner ?? (geteuid(), getegid())
        if holds(bytes, name, in: directory, user) { return }
        // Of this thread alone: two processes of one sidecar may be started at once.
        let temporary = ".\(name).\(String(pthread_self(), radix: 16))"
        unlinkat(directory, temporary, 0)
        let file = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o400)
        guard file >= 0 else { throw .last("create \(name)") }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(file, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("write \(name)") }
            written += count
        }
        guard fchmod(file, 0o400) == 0, fchown(file, user, group) == 0 else { throw .last("give \(name) away") }
        guard renameat(directory, temporary, directory, name) == 0 else { throw .last("rename \(name)") }
    }

    private static func holds(_ bytes: [UInt8], _ name: String, in directory: Int32, _ user: UInt32) -> Bool {
        let file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return false }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0, facts.st_uid == user, facts.st_mode & 0o7777 == 0o400,
            facts.st_size == bytes.count
        else { return false }
        let found = [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
            count = max(0, read(file, buffer.baseAddress, buffer.count))
        }
        return found == bytes
    }
}
