import ControlAPI
import Glibc
import SidecarModel

/// Shows instants of the boot-time clock as wall-clock time, by what the wall clock says now.
struct WallClock {
    private let offsetMicroseconds: Int64

    init() {
        var wall = timespec()
        var boot = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        clock_gettime(CLOCK_BOOTTIME, &boot)
        offsetMicroseconds = Self.microseconds(wall) - Self.microseconds(boot)
    }

    func timestamp(_ instant: Instant) -> Timestamp {
        Timestamp(microseconds: instant.nanoseconds / 1000 + offsetMicroseconds)
    }

    static var now: Timestamp {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return Timestamp(microseconds: microseconds(wall))
    }

    private static func microseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
