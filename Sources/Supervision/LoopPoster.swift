import CProcess
import Glibc
import Synchronization

/// Hands work to the loop's thread from any other. Many posts before the loop wakes cost one wake-up.
///
/// The loop is woken by a byte in a pipe and not by an eventfd: a pipe tells the kernel that the writer is about to
/// sleep, so that the loop is put where the writer runs, and not where it last ran, in front of a child that is just
/// being started there.
package final class LoopPoster: Sendable {
    enum Item: Sendable {
        case work(@Sendable () -> Void)
        case mail(Int)
    }

    /// Readable when something was posted.
    let bell: Int32
    private let ringing: Int32
    private let queue = Mutex<[Item]>([])

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard loop_pipe(&ends) == 0 else { throw .last("pipe2") }
        bell = ends[0]
        ringing = ends[1]
    }

    deinit {
        close(bell)
        close(ringing)
    }

    /// Runs on the loop's thread in its next turn, in the order of the posts of one thread.
    package func post(_ work: @escaping @Sendable () -> Void) { enqueue(.work(work)) }

    func enqueue(_ item: Item) {
        let wasEmpty = queue.withLock { queue in
            queue.append(item)
            return queue.count == 1
        }
        if wasEmpty {
            var ring: UInt8 = 0
            // It can only fail when the pipe is full, and then the loop is awake already.
            _ = write(ringing, &ring, 1)
        }
    }

    func take() -> [Item] {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { _ = read(bell, $0.baseAddress, $0.count) }
        return queue.withLock { queue in
            let items = queue
            queue.removeAll()
            return items
        }
    }
}

/// A letter box of the loop: any thread sends, the handler given to `EventLoop.mailbox` reads on the loop's thread.
package final class Mailbox<Message: Sendable>: Sendable {
    private let letters = Mutex<[Message]>([])
    private let poster: LoopPoster
    private let number: Int

    init(poster: LoopPoster, number: Int) {
        self.poster = poster
        self.number = number
    }

    package func send(_ message: Message) {
        let wasEmpty = letters.withLock { letters in
            letters.append(message)
            return letters.count == 1
        }
        if wasEmpty { poster.enqueue(.mail(number)) }
    }

    var isEmpty: Bool { letters.withLock(\.isEmpty) }

    func take() -> [Message] {
        letters.withLock { letters in
            let taken = letters
            letters.removeAll()
            return taken
        }
    }
}
