import Supervision

/// What the last life in a log said: with what its `pre_start` hook said before the life was noted, and with what its
/// children said after its end.
///
/// A life that could not begin is noted nowhere: its words are only what was said since the end of the one before.
struct LastWords {
    private let incarnation: UInt64
    private var own: [String] = []
    private var afterEnd: [String] = []
    /// The last that has begun.
    private var begun: UInt64?
    private var hasEnded = false

    init(of incarnation: UInt64) { self.incarnation = incarnation }

    var lines: [String] { begun.map { $0 < incarnation } ?? false ? afterEnd : own + afterEnd }

    mutating func take(_ line: LogLine) {
        if let started = line.startedIncarnation {
            if begun != nil || hasEnded { own = afterEnd }
            afterEnd = []
            begun = started
            hasEnded = false
        } else if line.isExitNote {
            hasEnded = true
        } else if line.stream != .system || line.isNotice {
            let words = line.string.withoutColors
            if hasEnded { afterEnd.append(words) } else { own.append(words) }
        }
    }
}
