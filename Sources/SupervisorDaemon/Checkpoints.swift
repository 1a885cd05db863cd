import StateStore
import Supervision
import Synchronization

/// Has what was committed moved from the journal's write-ahead log into its file now and then, on a thread that lives as
/// long as that takes: it waits for the disk, and the loop must not.
package final class Checkpoints {
    /// Pages of 4 KiB that are added to the log between two of them.
    private static let interval = 1000

    private let path: String
    private let isRunning = Flag()
    private var thread: WorkerThread?
    /// How long the log was when the last one began.
    private var last = 0

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    package init(path: String) { self.path = path }

    /// To be told after each commit.
    package func note(_ pages: Int) {
        // All had been moved, and the log began anew.
        if pages < last { last = 0 }
        guard pages >= last + Self.interval, !isRunning.value.load(ordering: .acquiring) else { return }
        finish()
        last = pages
        isRunning.value.store(true, ordering: .relaxed)
        do throws(SystemError) {
            thread = try WorkerThread(name: "checkpoint") { [path, isRunning] in
                // What fails now is tried again when the log has grown, and said when it can't be written at last.
                try? StateStore.checkpoint(path)
                isRunning.value.store(false, ordering: .releasing)
            }
        } catch {
            isRunning.value.store(false, ordering: .relaxed)
        }
    }

    /// Waits for the one that runs.
    package func finish() {
        thread?.join()
        thread = nil
    }
}
