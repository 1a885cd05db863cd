import ControlAPI
import Glibc
import SidecarModel
import Synchronization

/// Shows instants of the boot-time clock as wall-clock time, by what the wall clock says now.
///
/// The same instant is shown the same until somebody sets the clock: who compares what it was told takes any difference
/// for news.
struct WallClock {
    private let offsetMicroseconds: Int64

    /// The difference of the clocks as it was first read. Each reading is another, by what passes between the two.
    private static let kept = Mutex<Int64?>(nil)

    init() {
        let possible = Self.possibleOffsets()
        offsetMicroseconds = Self.kept.withLock { kept in
            if let kept, possible.contains(kept) { return kept }
            let read = possible.lowerBound + (possible.upperBound - possible.lowerBound) / 2
            kept = read
            return read
        }
    }

    /// Goes on with what an earlier supervisor has shown an instant as, unless the clock was set since, or this is
    /// another boot.
    static func resume(_ shown: Timestamp, of instant: Instant) {
        let offset = shown.microseconds - instant.nanoseconds / 1000
        guard possibleOffsets().contains(offset) else { return }
        kept.withLock { $0 = offset }
    }

    /// A clock that is slewed takes the other along; one that is set by less than this is not said to be.
    private static let tolerance: Int64 = 1000

    /// However long this is held up between the readings, the difference lies within.
    private static func possibleOffsets() -> ClosedRange<Int64> {
        let before = microseconds(CLOCK_BOOTTIME)
        let wall = microseconds(CLOCK_REALTIME)
        let after = microseconds(CLOCK_BOOTTIME)
        return wall - after - tolerance...wall - before + tolerance
    }

    func timestamp(_ instant: Instant) -> Timestamp {
        Timestamp(microseconds: instant.nanoseconds / 1000 + offsetMicroseconds)
    }

    static var now: Timestamp { Timestamp(microseconds: microseconds(CLOCK_REALTIME)) }

    private static func microseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
