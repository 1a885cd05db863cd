import SidecarModel

/// At most one deadline for each element, smallest first: a binary heap that knows where each element stands, so that a
/// deadline is moved instead of being left behind to fire late.
struct DeadlineQueue: Sendable {
    private var heap: [(at: Instant, element: Int)] = []
    /// Place in the heap by element, -1 when it has no deadline.
    private var place: [Int] = []

    var next: Instant? { heap.first?.at }

    /// O(log n). Nil takes the deadline away.
    mutating func set(_ deadline: Instant?, for element: Int) {
        if element >= place.count { place += [Int](repeating: -1, count: element + 1 - place.count) }
        let position = place[element]
        switch (deadline, position) {
        case (nil, -1): return
        case (nil, _): remove(at: position)
        case (let at?, -1):
            heap.append((at, element))
            place[element] = heap.count - 1
            rise(from: heap.count - 1)
        case (let at?, _):
            let before = heap[position].at
            guard before != at else { return }
            heap[position].at = at
            if at < before { rise(from: position) } else { sink(from: position) }
        }
    }

    /// Takes out an element whose deadline is not later than `now`.
    mutating func popDue(at now: Instant) -> Int? {
        guard let first = heap.first, first.at <= now else { return nil }
        remove(at: 0)
        return first.element
    }

    private mutating func remove(at position: Int) {
        place[heap[position].element] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        heap[position] = last
        place[last.element] = position
        rise(from: position)
        sink(from: place[last.element])
    }

    private mutating func rise(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { return }
            exchange(child, parent)
            child = parent
        }
    }

    private mutating func sink(from start: Int) {
        var parent = start
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, smallest) {
                smallest = child
            }
            guard smallest != parent else { return }
            exchange(parent, smallest)
            parent = smallest
        }
    }

    /// Equal instants go by element, so that the order never depends on the heap's history.
    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].element) < (heap[right].at, heap[right].element)
    }

    private mutating func exchange(_ left: Int, _ right: Int) {
        heap.swapAt(left, right)
        place[heap[left].element] = left
        place[heap[right].element] = right
    }
}
