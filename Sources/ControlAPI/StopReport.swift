package import SidecarModel

/// How far a stop under way is.
package struct StopReport: Hashable, Codable, Sendable {
    package enum Step: String, Hashable, Codable, Sendable, CaseIterable {
        /// Those named by `waiting_for` leave first.
        case queued
        /// Its start was under way, and comes to its own end first.
        case endingStart = "ending_start"
        /// The `pre_stop` hook runs.
        case preStop = "pre_stop"
        case signalled
        /// The leader is gone; what it left behind was told to go.
        case clearing
        /// SIGKILL was sent.
        case killed
        /// SIGKILL did not end it.
        case stuck
    }

    package var step: Step
    /// `signalled`: what was sent last.
    package var signal: String?
    /// What is sent next, unless it is gone by then.
    package var next: String?
    package var nextAt: Timestamp?

    enum CodingKeys: String, CodingKey {
        case step, signal, next
        case nextAt = "next_at"
    }

    package init(_ step: Step, signal: Signal? = nil, next: Signal? = nil, at nextAt: Timestamp? = nil) {
        self.step = step
        self.signal = signal?.description
        self.next = next?.description
        self.nextAt = nextAt
    }
}
