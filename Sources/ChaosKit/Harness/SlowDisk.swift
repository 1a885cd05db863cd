import Glibc

/// A file system on a disk that stalls: ext4, on a loop device, on a file that `chaos-disk` serves by FUSE. The kernel does
/// all but the waiting: mapped files, locks, sockets and FIFOs are as on any disk.
package final class SlowDisk {
    /// How many of a thousand requests wait, and for how many milliseconds at most. One durable write is a handful of
    /// requests, each behind the one before.
    struct Pace {
        let share: Int
        let longest: Int

        static let fast = Pace(share: 0, longest: 0)
    }

    private let place: String
    private let workshop: String
    private let server: Program
    private let numbers: SharedNumbers

    /// Mounted at `place`, and fast.
    ///
    /// - Parameter isSynchronous: every write is at the disk before it returns. Otherwise the kernel holds most of them
    ///   back, and only who asks to be sure waits, or comes in its way.
    init(at place: String, isSynchronous: Bool = false) throws {
        self.place = place
        workshop = try Directory.makeTemporary()
        let served = "\(workshop)/served"
        for directory in [place, served] { mkdir(directory, 0o700) }
        let pace = "\(workshop)/pace"
        numbers = try SharedNumbers(4, in: pace)
        server = try Program(
            ["\(Sandbox.builtPrograms)/chaos-disk", served, "128", pace, place], directory: "/",
            environment: ["PATH": Sandbox.path])
        do {
            try server.prints("mounted")
            // That it can stall shows while nobody waits for it.
            set(Pace(share: 1000, longest: 1))
            try Self.run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", "\(served)/disk")
            try Self.run("mount", "-o", isSynchronous ? "loop,sync,dirsync" : "loop", "\(served)/disk", place)
            set(.fast)
        } catch {
            end()
            throw error
        }
    }

    func set(_ pace: Pace) {
        numbers[0] = pace.share
        numbers[1] = pace.longest
    }

    /// How many requests have waited, and how long in all.
    var waits: (count: Int, milliseconds: Int) { (numbers[2], numbers[3]) }

    /// Takes it away, with all that is on it. Nobody is to use it any more.
    func end() {
        set(.fast)
        _ = try? Self.run("umount", place)
        // What is still in use goes with its last user.
        umount2(place, Int32(MNT_DETACH))
        umount2("\(workshop)/served", Int32(MNT_DETACH))
        _ = try? server.end(within: 10)
        Directory.remove(workshop)
    }

    private static func run(_ words: String...) throws {
        let ended = try Program(words, directory: "/", environment: ["PATH": Sandbox.path]).end()
        guard ended.status == 0 else { throw HarnessError("\(words[0]): \(ended.everything)") }
    }

    /// What this machine lacks for one. Found by trying.
    package static let obstacle: String? = {
        guard geteuid() == 0 else { return "needs root, for FUSE and a loop device" }
        guard File.exists("/dev/fuse") else { return "needs /dev/fuse" }
        do {
            let place = try Directory.makeTemporary()
            defer { rmdir(place) }
            try SlowDisk(at: place).end()
            return nil
        } catch {
            let reason = "\(error)".split(separator: "\n").joined(separator: " ")
            return "cannot mount ext4 on a loop device on FUSE: \(reason)"
        }
    }()
}
