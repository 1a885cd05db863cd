import Glibc

/// Whose a port is.
package struct PortLease: Hashable, Sendable {
    /// Of the project: its `lock` file there tells whether it runs.
    package var stateDirectory: String
    /// `db/0`
    package var instance: String
    /// The port's name in the manifest.
    package var name: String

    package init(stateDirectory: String, instance: String, name: String) {
        self.stateDirectory = stateDirectory
        self.instance = instance
        self.name = name
    }

    fileprivate var text: String { "\(instance):\(name):\(stateDirectory)" }

    fileprivate init?(parsing text: String) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else { return nil }
        self.init(stateDirectory: parts[2], instance: parts[0], name: parts[1])
    }
}

/// The ports of all projects of one user: a directory with a symbolic link per port, whose target names the holder.
/// Making one is one atomic step that fails when it is there, so projects need no common lock to exclude each other.
struct PortRegistry: Sendable {
    enum Claim: Hashable {
        case ours
        case held(PortLease)
    }

    let directory: String

    init(directory: String) throws(SystemError) {
        try Directory.create(directory)
        self.directory = directory
    }

    private func path(_ port: UInt16, isTCP: Bool) -> String { Self.path(port, isTCP: isTCP, in: directory) }

    /// Where the link of a port is, whether there is one or not.
    static func path(_ port: UInt16, isTCP: Bool, in directory: String) -> String {
        "\(directory)/\(port)" + (isTCP ? "" : ".udp")
    }

    func claim(_ port: UInt16, isTCP: Bool, for lease: PortLease) throws(SystemError) -> Claim {
        let path = path(port, isTCP: isTCP)
        while true {
            if symlink(lease.text, path) == 0 { return .ours }
            guard errno == EEXIST else { throw .last("symlink \(path)") }
            // Gone meanwhile: try again.
            guard let holder = holder(port, isTCP: isTCP) else { continue }
            return holder == lease ? .ours : .held(holder)
        }
    }

    /// Nil when nobody has it. A link we did not write is nobody's and is removed.
    func holder(_ port: UInt16, isTCP: Bool) -> PortLease? {
        let path = path(port, isTCP: isTCP)
        guard let text = Self.target(path) else { return nil }
        if let lease = PortLease(parsing: text) { return lease }
        unlink(path)
        return nil
    }

    /// Takes over the lease of a holder that does not run. False: someone else was quicker.
    func takeOver(_ port: UInt16, isTCP: Bool, from old: PortLease, for lease: PortLease) throws(SystemError) -> Bool {
        // Two projects may find the same idle holder; one lock decides between them.
        let lock = open(directory + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .last("open \(directory)/lock") }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 { guard errno == EINTR else { throw .last("flock \(directory)/lock") } }
        guard holder(port, isTCP: isTCP) == old else { return false }
        let fresh = directory + "/new.\(getpid())"
        unlink(fresh)
        guard symlink(lease.text, fresh) == 0 else { throw .last("symlink \(fresh)") }
        guard rename(fresh, path(port, isTCP: isTCP)) == 0 else { throw .last("rename \(fresh)") }
        return true
    }

    func release(_ port: UInt16, isTCP: Bool, of lease: PortLease) {
        if holder(port, isTCP: isTCP) == lease { unlink(path(port, isTCP: isTCP)) }
    }

    func release(where isReleased: (PortLease) -> Bool) throws(SystemError) {
        for name in try Directory.names(in: directory) where name.first?.isNumber == true {
            let path = directory + "/" + name
            if let lease = Self.lease(at: path), isReleased(lease) { unlink(path) }
        }
    }

    /// Whether someone holds the project's lock. Trying it would disturb a project that is just starting.
    static func isRunning(_ lease: PortLease) -> Bool {
        var facts = stat()
        guard stat(lease.stateDirectory + "/lock", &facts) == 0 else { return false }
        return KernelLocks.holders(ofInode: facts.st_ino).map { !$0.isEmpty } ?? true
    }

    /// What the link says. Nil: it is none of ours.
    static func lease(at path: String) -> PortLease? { target(path).flatMap(PortLease.init(parsing:)) }

    private static func target(_ path: String) -> String? {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
            filled = buffer.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { max(0, readlink(path, $0, text.count)) } ?? 0
            }
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
