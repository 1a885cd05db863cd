import CProcess
import Glibc
import StateStore
import Supervision

/// Finds out when the state directory is deleted or moved away under the project: no command reaches it any more then,
/// and nothing keeps another one from being started beside it.
final class StateWatch {
    private let loop: EventLoop
    private let location: ProjectLocation
    private let descriptor: Int32
    private let lock: UInt64?
    private let lost: () -> Void
    private var watch: EventLoop.WatchID?
    /// Inotify's number for the directory.
    private var directory: Int32
    private var isResting = false

    init(loop: EventLoop, location: ProjectLocation, lost: @escaping () -> Void) throws(SystemError) {
        self.loop = loop
        self.location = location
        self.lost = lost
        lock = Self.inode(of: location.lockPath)
        descriptor = loop_inotify_create()
        guard descriptor >= 0 else { throw .last("inotify_init1") }
        directory = loop_inotify_add_losses(descriptor, location.stateDirectory)
        guard directory >= 0 else {
            let failure = SystemError.last("inotify_add_watch \(location.stateDirectory)")
            close(descriptor)
            throw failure
        }
        watch = try loop.watch(descriptor, .read) { [unowned self] _ in look() }
    }

    deinit {
        if let watch { loop.unwatch(watch) }
        close(descriptor)
    }

    /// The project goes down: it needs no directory any more, and the end of the supervisor is not to wait until the
    /// kernel has given up the watch.
    func rest() {
        guard !isResting else { return }
        isResting = true
        loop_inotify_remove(descriptor, directory)
    }

    /// An `up` came while it went down.
    func resume() {
        guard isResting, watch != nil else { return }
        isResting = false
        directory = loop_inotify_add_losses(descriptor, location.stateDirectory)
        look()
    }

    /// Whoever has another lock, or asks at another socket, does not know of us.
    private func look() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while read(descriptor, buffer.baseAddress, 4096) > 0 {}
        }
        guard !isResting else { return }
        let isThere = Self.inode(of: location.lockPath) == lock && access(location.socketPath, F_OK) == 0
        guard !isThere, let watch else { return }
        loop.unwatch(watch)
        self.watch = nil
        lost()
    }

    private static func inode(of path: String) -> UInt64? {
        var facts = stat()
        return stat(path, &facts) == 0 ? UInt64(facts.st_ino) : nil
    }
}
