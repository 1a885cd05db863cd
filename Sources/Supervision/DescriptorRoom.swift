import Glibc
import Synchronization

/// The last descriptors of the process are for those who ask and for what ends a sidecar; no start takes them.
package enum DescriptorRoom {
    /// Connections of clients, files that are open for a moment, and what the starts under way still take.
    private static let kept = 40
    /// What a supervisor has open without any sidecar.
    private static let own = 64
    /// Of a sidecar: two FIFOs and its pidfd. Its log file is closed where others need room.
    private static let perInstance = 3

    /// Asked for once: the limit is raised to the highest before anything is started.
    private static let limit: Int = {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        return min(Int(clamping: limit.rlim_cur), Int(Int32.max))
    }()

    /// Whether one more instance has room beside that many others.
    ///
    /// What there are is counted and not only looked at: which numbers are free says too little, as a supervisor that
    /// takes up what runs has other files open between.
    /// - Parameter descriptor: any that is open.
    static func isThere(beside others: Int, probing descriptor: Int32) -> Bool {
        guard own + kept + (others + 1) * perInstance <= limit else { return false }
        let next = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard next >= 0 else { return false }
        close(next)
        return !isTaken(by: next)
    }

    /// Whether one that is among the last was opened: the kernel gives the lowest number that is free.
    package static func isTaken(by descriptor: Int32) -> Bool { Int(descriptor) >= limit - kept }

    /// Whether a file that can be opened again is to be closed for the sake of others.
    static func needs(_ descriptor: Int32) -> Bool { isTakingUp.load(ordering: .relaxed) || isTaken(by: descriptor) }

    /// What already runs comes first: until all of it is taken up, no log file stays open.
    package static func takingUp(_ isTakingUp: Bool) { self.isTakingUp.store(isTakingUp, ordering: .relaxed) }

    private static let isTakingUp = Atomic(false)
}
