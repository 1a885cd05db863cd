import ControlAPI
import SidecarModel
import Testing

@testable import SupervisorDaemon

@Suite struct WallClockTests {
    @Test func `an instant is shown the same each time`() {
        let instant = Instant(nanoseconds: 1_234_567)
        #expect(Set((0..<20_000).map { _ in WallClock().timestamp(instant) }).count == 1)
    }
}
