/// Shortens a `down` under way.
package enum HurryUp: ControlOperation {
    package static let method = "hurry"

    package enum Pace: String, Hashable, Codable, Sendable, CaseIterable {
        /// What is left of every grace period is skipped.
        case noGrace = "no_grace"
        /// Straight to SIGKILL, order or not.
        case killNow = "kill_now"
    }

    package struct Parameters: Hashable, Codable, Sendable {
        package var pace: Pace

        package init(pace: Pace) { self.pace = pace }
    }

    package typealias Answer = Acknowledgement
}
