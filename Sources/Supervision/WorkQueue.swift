/// First in, first out. Keeps nothing of what was taken, also where it never runs empty.
package struct WorkQueue<Element> {
    private var elements: [Element?] = []
    /// Those before it are taken.
    private var first = 0

    package init() {}

    package mutating func append(_ element: Element) { elements.append(element) }

    package mutating func take() -> Element? {
        guard first < elements.count else { return nil }
        let element = elements[first]
        elements[first] = nil
        first += 1
        // As many were taken as are moved, so that each is moved about once.
        if first * 2 >= elements.count {
            elements.removeFirst(first)
            // What a burst took is given back.
            if elements.isEmpty, elements.capacity > 64 { elements = [] }
            first = 0
        }
        return element
    }
}
