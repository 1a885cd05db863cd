import SidecarModel

/// Counts outputs that ended with nothing left in them, turn by turn.
struct PipeEnds {
    private static let burst = 8
    private static let time = Duration.milliseconds(2)

    /// In this turn.
    var count = 0
    /// There was something to read in this turn: whoever wrote it may wait for room.
    var hasOthers = false
    private var recent = 0
    private var since: Instant?

    /// Ends the turn. True: many ended within a short time, and nothing else happened.
    mutating func isBurst(at now: @autoclosure () -> Instant) -> Bool {
        defer { (count, hasOthers) = (0, false) }
        guard count > 0, !hasOthers else { return false }
        let now = now()
        if since.map({ now - $0 > Self.time }) ?? true { (since, recent) = (now, 0) }
        recent += count
        return recent > Self.burst
    }
}
