import StateStore

/// What a command that waits for processes looks at now and then: a supervisor goes on without its keeper and answers
/// everything, but nothing starts, and nothing is seen to its end.
struct KeeperWatch {
    private let location: ProjectLocation
    private var isKnown = false
    private var nextLook = ContinuousClock.now + Self.interval

    private static let interval = Duration.seconds(5)

    init(of location: ProjectLocation) { self.location = location }

    /// Until the next look.
    var rest: Duration { max(.zero, nextLook - .now) }

    /// What is to be said: once, as long as it stays so.
    mutating func look() -> String? {
        guard rest == .zero else { return nil }
        nextLook = .now + Self.interval
        let standstill = LivingSidecars.keeperStandstill(in: location)
        defer { isKnown = standstill != nil }
        return isKnown ? nil : standstill.map { "still waiting: \($0)" }
    }
}
