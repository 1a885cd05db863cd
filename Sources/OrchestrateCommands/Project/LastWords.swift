import Supervision

/// What the last life in a log said: with what its `pre_start` hook said before the life was noted, and with what its
/// children said after its end.
struct LastWords {
    private var own: [String] = []
    private var afterEnd: [String] = []
    private var hasBegun = false
    private var hasEnded = false

    var lines: [String] { own + afterEnd }

    mutating func take(_ line: LogLine) {
        if line.startedIncarnation != nil {
            if hasBegun || hasEnded { own = afterEnd }
            afterEnd = []
            hasBegun = true
            hasEnded = false
        } else if line.isExitNote {
            hasEnded = true
        } else if line.stream != .system || line.isNotice {
            let words = line.string.withoutColors
            if hasEnded { afterEnd.append(words) } else { own.append(words) }
        }
    }
}
