import CProcess
package import SidecarModel

/// How a process is stopped by the guard, which knows only what is on record.
package struct StopRecord: Hashable, Sendable {
    private let spec: StopSpec
    private let rank: Int

    /// - Parameter rank: those of the highest leave first.
    package init(_ spec: StopSpec, rank: Int) {
        self.spec = spec
        self.rank = rank
    }

    var raw: orch_stop {
        var stop = orch_stop()
        stop.rank = UInt16(clamping: rank)
        stop.target =
            switch spec.target {
            case .mixed: UInt8(ORCH_STOP_MIXED)
            case .group: UInt8(ORCH_STOP_GROUP)
            case .leader: UInt8(ORCH_STOP_LEADER)
            }
        let most = Int(ORCH_STOP_STEPS)
        stop.step_count = UInt8(min(spec.sequence.count, most))
        withUnsafeMutablePointer(to: &stop.steps) { steps in
            steps.withMemoryRebound(to: orch_stop_step.self, capacity: most) { steps in
                for (index, step) in spec.sequence.enumerated() {
                    // What there is no room for only makes the last step longer.
                    let place = min(index, most - 1)
                    if index < most { steps[place].signal = UInt32(step.signal.number) }
                    let wait = UInt32(clamping: step.wait.nanoseconds / 1_000_000)
                    steps[place].wait_ms = steps[place].wait_ms.addingReportingOverflow(wait).partialValue
                }
            }
        }
        return stop
    }
}
