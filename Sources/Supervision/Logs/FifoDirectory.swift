import CProcess
import Glibc

/// Where a project's FIFOs are: `fifo` in its state directory, which leads to a directory in memory where there is one.
///
/// A FIFO holds nothing that outlives its processes, and on a disk's file system making one costs as much as starting a
/// process. So `fifo` is a link into `$XDG_RUNTIME_DIR`, `/run` or `/dev/shm`, and a directory of its own where none of
/// them will do. The link is all that later supervisors and commands go by.
final class FifoDirectory: Sendable {
    let descriptor: Int32
    /// In a directory in memory, a link back to the state directory that leads there.
    static let back = ".state"
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
        if let place = Self.newPlaceInMemory(), let made = Self.lead(stateDirectory, to: place) {
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
        // Not by the link: the state directory may be gone, and must not take what is left here with it.
        for name in (try? Directory.names(in: "/proc/self/fd/\(descriptor)")) ?? [] { unlinkat(descriptor, name, 0) }
        if let target {
            rmdir(target)
            unlink(link)
        } else {
            rmdir(link)
        }
    }

    /// Nil unless it is a directory of ours that no one else may enter.
    static func open(_ path: String) -> Int32? {
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

    static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(link, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// Never one there was before: a project whose state directory was deleted may still live, and use its own.
    private static func newPlaceInMemory() -> String? {
        rootInMemory().map { "\($0)/\(String(UInt64.random(in: .min ... .max), radix: 16))" }
    }

    static func rootInMemory() -> String? { rootsInMemory().first }

    /// Where they may be, the best place first.
    static func rootsInMemory() -> [String] {
        var places: [(memory: String, root: String)] = []
        if let own = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }), own.hasPrefix("/") {
            places.append((own, own + "/orchestrate"))
        }
        // `/run/orchestrate` is to be passed by other users, for the secrets they are handed.
        if geteuid() == 0 { places.append(("/run", "/run/orchestrate-fifos")) }
        // Everybody's: what somebody else put there under our name is refused by its owner.
        places.append(("/dev/shm", "/dev/shm/orchestrate-\(geteuid())"))
        return places.filter { loop_is_in_memory($0.memory) != 0 }.map(\.root)
    }

    private static func lead(_ stateDirectory: String, to place: String) -> Int32? {
        guard let slash = place.lastIndex(of: "/") else { return nil }
        let root = String(place[..<slash])
        guard (try? Directory.create(place)) != nil, let above = open(root), let descriptor = open(place) else {
            return nil
        }
        Glibc.close(above)
        symlinkat(stateDirectory, descriptor, back)
        FifoLeftovers.remove(beside: place, in: root, of: stateDirectory)
        let link = stateDirectory + "/fifo"
        unlink(link)
        guard symlink(place, link) == 0 else {
            unlinkat(descriptor, back, 0)
            Glibc.close(descriptor)
            rmdir(place)
            return nil
        }
        return descriptor
    }
}
