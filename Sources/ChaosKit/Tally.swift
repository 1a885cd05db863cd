/// What was counted, of one stage or of many.
package struct Tally {
    /// What the scenario counts: losses, stops, upgrades, whole projects.
    package var rounds = 0
    /// Signals that were sent to do harm.
    package var strikes = 0
    package var lines = 0
    /// Alive, and nobody's: after a stop, or beside a successor.
    package var orphans = 0
    package var duplicates = 0
    package var lost = 0
    package var torn = 0
    package var repeated = 0
    package var wrongExits = 0
    /// Stages in which something else was not as it is to be.
    package var broken = 0
    /// Without cgroups and after the loss of a keeper: what is then left is known to be possible.
    package var escaped = 0
    /// Milliseconds until what the scenario waits for.
    package var times: [Double] = []
    /// Requests that a sidecar answered, and those it did not.
    package var requests = 0
    package var failedRequests = 0
    /// How often a slow disk kept somebody waiting, and how many milliseconds in all.
    package var waits = 0
    package var waited = 0

    package var isFaultless: Bool {
        orphans + duplicates + lost + torn + wrongExits + broken + failedRequests == 0
    }

    /// The time within which that share of them was done. Nil: nothing was timed.
    package func time(_ share: Double) -> Double? {
        guard !times.isEmpty else { return nil }
        let sorted = times.sorted()
        return sorted[min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.up)) - 1)]
    }

    package static func += (total: inout Self, stage: Self) {
        total.rounds += stage.rounds
        total.strikes += stage.strikes
        total.lines += stage.lines
        total.orphans += stage.orphans
        total.duplicates += stage.duplicates
        total.lost += stage.lost
        total.torn += stage.torn
        total.repeated += stage.repeated
        total.wrongExits += stage.wrongExits
        total.broken += stage.broken
        total.escaped += stage.escaped
        total.times += stage.times
        total.requests += stage.requests
        total.failedRequests += stage.failedRequests
        total.waits += stage.waits
        total.waited += stage.waited
    }
}
