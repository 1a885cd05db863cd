import CProcess
import Glibc

/// Where a project's FIFOs are: `fifo` in its state directory, which leads to a directory in memory where there is one.
///
/// A FIFO holds nothing that outlives its processes, and on a disk's file system making one costs as much as starting a
/// process. So `fifo` is a link into `$XDG_RUNTIME_DIR`, `/run` or `/dev/shm`, and a directory of its own where none of
/// them will do. The link is all that later supervisors and commands go by.
final class FifoDirectory: Sendable {
    let descriptor: Int32
    private let link: String
    /// What the link leads to; nil where `link` is the directory itself.
    private let target: String?

    init(stateDirectory: String) throws(SystemError) {
        link = stateDirectory + "/fifo"
        if let found = Self.open(link) {
            descriptor = found
            target = Self.target(of: link)
            return
        }
        if let place = Self.newPlaceInMemory(), let made = Self.lead(link, to: place) {
            descriptor = made
            target = place
            return
        }
        // A link that leads nowhere is of an earlier boot.
        unlink(link)
        try Directory.create(link)
        guard let made = Self.open(link) else { throw .last("open \(link)") }
        descriptor = made
        target = nil
    }

    deinit { Glibc.close(descriptor) }

    /// Removes all of it; when nobody is left to write.
    func discard() {
        for name in (try? Directory.names(in: link)) ?? [] { unlinkat(descriptor, name, 0) }
        if let target {
            rmdir(target)
            unlink(link)
        } else {
            rmdir(link)
        }
    }

    /// Nil unless it is a directory of ours that no one else may enter.
    private static func open(_ path: String) -> Int32? {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_uid == geteuid(), facts.st_mode & 0o077 == 0 else {
            Glibc.close(descriptor)
            errno = EPERM
            return nil
        }
        return descriptor
    }

    private static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(link, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// Never one there was before: a project whose state directory was deleted may still live, and use its own.
    private static func newPlaceInMemory() -> String? {
        rootInMemory().map { "\($0)/\(String(UInt64.random(in: .min ... .max), radix: 16))" }
    }

    static func rootInMemory() -> String? {
        if let own = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }), own.hasPrefix("/"),
            loop_is_in_memory(own) != 0
        {
            return own + "/orchestrate"
        }
        // `/run/orchestrate` is to be passed by other users, for the secrets they are handed.
        if geteuid() == 0, loop_is_in_memory("/run") != 0 { return "/run/orchestrate-fifos" }
        // Everybody's: what somebody else put there under our name is refused by its owner.
        return loop_is_in_memory("/dev/shm") != 0 ? "/dev/shm/orchestrate-\(geteuid())" : nil
    }

    private static func lead(_ link: String, to place: String) -> Int32? {
        guard let slash = place.lastIndex(of: "/"), (try? Directory.create(place)) != nil,
            let root = open(String(place[..<slash])), let descriptor = open(place)
        else { return nil }
        Glibc.close(root)
        unlink(link)
        guard symlink(place, link) == 0 else {
            Glibc.close(descriptor)
            rmdir(place)
            return nil
        }
        return descriptor
    }
}
