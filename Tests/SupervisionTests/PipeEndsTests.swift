import SidecarModel
import Testing

@testable import Supervision

struct PipeEndsTests {
    private var ends = PipeEnds()

    private mutating func turn(ends count: Int, others: Bool = false, at milliseconds: Double) -> Bool {
        ends.count = count
        ends.hasOthers = others
        return ends.isBurst(at: Instant(nanoseconds: Int64(milliseconds * 1e6)))
    }

    @Test mutating func `many ends within a short time are a burst, in one turn or in several`() {
        #expect(turn(ends: 9, at: 1))
        for step in 0..<8 { #expect(!turn(ends: 1, at: 10 + Double(step) / 10)) }
        #expect(turn(ends: 1, at: 11))
        #expect(turn(ends: 1, at: 11.5))
    }

    @Test mutating func `ends one after the other are none`() {
        for step in 0..<50 { #expect(!turn(ends: 1, at: Double(step))) }
    }

    @Test mutating func `where there is something to read nobody waits`() {
        #expect(!turn(ends: 50, others: true, at: 1))
        #expect(!turn(ends: 0, others: true, at: 1))
        #expect(!turn(ends: 0, at: 1))
    }
}
