/// The only source of chance in a simulation: SplitMix64, so a seed is a whole history.
package struct Generator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0..<bound; 0 when there is nothing to choose from.
    mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func chance(perMille: Int) -> Bool {
        perMille > 0 && below(1000) < perMille
    }

    mutating func duration(milliseconds range: ClosedRange<Int64>) -> Duration {
        let span = (range.upperBound - range.lowerBound) * 1_000_000
        return .nanoseconds(range.lowerBound * 1_000_000 + Int64(below(Int(span) + 1)))
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }
}
