import Reconciliation
import SidecarModel

/// How one process is ended, step by step: a manifest's `stop` for one that the core does not know.
struct StopSequence {
    enum Step: Hashable {
        /// What comes next does so after the wait, if it still lives.
        case signal(Signal, SignalTarget, wait: Duration)
        case kill
    }

    private let spec: StopSpec
    private var next = 0

    init(_ spec: StopSpec) { self.spec = spec }

    mutating func advance() -> Step {
        let sequence = spec.sequence
        guard next < sequence.count else { return .kill }
        defer { next += 1 }
        return .signal(sequence[next].signal, spec.target == .group ? .group : .leader, wait: sequence[next].wait)
    }
}

extension StopSpec {
    /// What is sent to those a leader left behind.
    var clearingSignal: Signal? { target == .leader ? nil : sequence.first?.signal }
}
