import Glibc
import Synchronization

/// Hands work to the loop's thread from any other. Many posts before the loop wakes cost one wake-up.
package final class LoopPoster: Sendable {
    enum Item: Sendable {
        case work(@Sendable () -> Void)
        case mail(Int)
    }

    let eventDescriptor: Int32
    private let queue = Mutex<[Item]>([])

    init(eventDescriptor: Int32) { self.eventDescriptor = eventDescriptor }

    deinit { close(eventDescriptor) }

    /// Runs on the loop's thread in its next turn, in the order of the posts of one thread.
    package func post(_ work: @escaping @Sendable () -> Void) { enqueue(.work(work)) }

    func enqueue(_ item: Item) {
        let wasEmpty = queue.withLock { queue in
            queue.append(item)
            return queue.count == 1
        }
        if wasEmpty {
            var one: UInt64 = 1
            // It can only fail when the counter is full, and then the loop is awake already.
            _ = write(eventDescriptor, &one, 8)
        }
    }

    func take() -> [Item] {
        queue.withLock { queue in
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
