/// First in, first out; the room is used again once it is empty.
struct WorkQueue<Element> {
    private var elements: [Element] = []
    /// Those before it are taken.
    private var first = 0

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func take() -> Element? {
        guard first < elements.count else { return nil }
        defer {
            first += 1
            if first == elements.count {
                elements.removeAll()
                first = 0
            }
        }
        return elements[first]
    }
}
