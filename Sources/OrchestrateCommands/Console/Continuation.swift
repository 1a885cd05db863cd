import Glibc
import Synchronization

/// That this process was stopped and went on, as by Ctrl-Z and `fg`: others have written to its terminal meanwhile.
enum Continuation {
    private static let counter = Atomic<Int>(0)

    /// How often, since it is watched for.
    static var count: Int { counter.load(ordering: .relaxed) }

    static func watch() {
        // Made before the handler needs it.
        _ = count
        signal(SIGCONT) { _ in Continuation.counter.add(1, ordering: .relaxed) }
    }
}
