import SidecarModel

/// Deadlines in a binary heap, soonest first, in order of scheduling when equal.
///
/// A cancelled one keeps its place until it surfaces or until the cancelled outnumber the living.
struct TimerHeap {
    private struct Entry {
        var at: Instant
        var order: UInt64
    }

    private var heap: [Entry] = []
    private var handlers: [UInt64: () -> Void] = [:]
    private var scheduled: UInt64 = 0

    var isEmpty: Bool { handlers.isEmpty }

    mutating func insert(at instant: Instant, handler: @escaping () -> Void) -> UInt64 {
        scheduled += 1
        handlers[scheduled] = handler
        heap.append(Entry(at: instant, order: scheduled))
        siftUp(heap.count - 1)
        return scheduled
    }

    mutating func cancel(_ order: UInt64) {
        guard handlers.removeValue(forKey: order) != nil else { return }
        if heap.count > 64, heap.count > 2 * handlers.count { compact() }
    }

    /// The soonest deadline that still stands.
    mutating func next() -> Instant? {
        while let first = heap.first {
            if handlers[first.order] != nil { return first.at }
            removeFirst()
        }
        return nil
    }

    /// Takes out the soonest handler that is due.
    mutating func popDue(at now: Instant) -> (() -> Void)? {
        guard let first = next(), first <= now else { return nil }
        let order = heap[0].order
        removeFirst()
        return handlers.removeValue(forKey: order)
    }

    private mutating func compact() {
        heap.removeAll { handlers[$0.order] == nil }
        // A sorted array is a heap.
        heap.sort { Self.precedes($0, $1) }
    }

    private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
        left.at == right.at ? left.order < right.order : left.at < right.at
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, Self.precedes(heap[child + 1], heap[child]) { child += 1 }
            guard Self.precedes(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.precedes(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }
}
