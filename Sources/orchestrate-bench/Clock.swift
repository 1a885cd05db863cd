import Glibc

/// CLOCK_MONOTONIC, the clock that the sidecars stamp.
func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// The benchmark is the one program here that lets time pass: it measures what others do meanwhile.
func letPass(seconds: Int) {
    var left = UInt32(seconds)
    while left > 0 { left = sleep(left) }
}
