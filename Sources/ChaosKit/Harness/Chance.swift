/// Instants and choices of a test, from a seed.
package struct Chance {
    private var state: UInt64

    package init(seed: UInt64) { state = seed | 1 }

    package mutating func next(below limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(limit))
    }

    package mutating func isHeads() -> Bool { next(below: 2) == 0 }

    package mutating func one<Element>(of choices: [Element]) -> Element { choices[next(below: choices.count)] }
}
