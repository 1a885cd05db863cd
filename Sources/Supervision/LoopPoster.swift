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
    private let state = Mutex(State())

    private struct State {
        var items: [Item] = []
        /// The loop has been woken since it took the last of them.
        var isRung = false
    }

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
    package func post(_ work: @escaping @Sendable () -> Void) {
        enqueue(.work(work))
        ring()
    }

    /// Leaves the waking to whoever rings next.
    func enqueue(_ item: Item) { state.withLock { $0.items.append(item) } }

    /// Wakes the loop if something was posted that it does not know of.
    func ring() {
        let isDue = state.withLock { state in
            guard !state.isRung, !state.items.isEmpty else { return false }
            state.isRung = true
            return true
        }
        guard isDue else { return }
        var ring: UInt8 = 0
        // It can only fail when the pipe is full, and then the loop is awake already.
        _ = write(ringing, &ring, 1)
    }

    func take() -> [Item] {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { _ = read(bell, $0.baseAddress, $0.count) }
        return state.withLock { state in
            defer { state = State() }
            return state.items
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

    /// - Parameter rings: false leaves it to whoever sends or rings next.
    package func send(_ message: Message, rings: Bool = true) {
        letters.withLock { letters in
            letters.append(message)
            // Here and not after it: who sends the second one and rings has to find the box among what is posted.
            if letters.count == 1 { poster.enqueue(.mail(number)) }
        }
        if rings { poster.ring() }
    }

    /// Wakes the loop if something was sent that it does not know of.
    package func ring() { poster.ring() }

    var isEmpty: Bool { letters.withLock { $0.isEmpty } }

    func take() -> [Message] {
        letters.withLock { letters in
            let taken = letters
            letters.removeAll()
            return taken
        }
    }
}
