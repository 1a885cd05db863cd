import CProcess
import Glibc

/// What a spawning thread has to itself.
struct SpawnSeat: ~Copyable {
    /// Every child's standard descriptors, for the moment of the clone.
    let reserved: (Int32, Int32, Int32, Int32)
    /// Nil: it was not asked to keep to one. -1: there is none to keep to.
    private var processor: Int32?

    init() {
        var numbers = [Int32](repeating: 0, count: Int(ORCH_RESERVED_DESCRIPTORS))
        orch_reserve_descriptors(&numbers)
        reserved = (numbers[0], numbers[1], numbers[2], numbers[3])
    }

    deinit {
        for descriptor in [reserved.0, reserved.1, reserved.2, reserved.3] where descriptor > 0 { close(descriptor) }
    }

    var hasProcessor: Bool { processor.map { $0 >= 0 } ?? false }

    /// Keeps the calling thread to a processor that none of the others has. A child begins on its parent's, which sleeps
    /// until it executes; in a burst without this both are often in line behind another pair, with a processor idle beside
    /// them, as the kernel does not move what ran a moment ago.
    /// - Parameter taken: a bit for each.
    mutating func keepToProcessor(besides taken: inout UInt64) {
        guard processor == nil else { return }
        let found = orch_keep_to_processor(taken)
        processor = found
        if found >= 0 { taken |= 1 << UInt64(found) }
    }

    mutating func leaveProcessor(_ taken: inout UInt64) {
        if let processor, processor >= 0 {
            guard orch_leave_processor() == 0 else { return }
            taken &= ~(1 << UInt64(processor))
        }
        processor = nil
    }
}
