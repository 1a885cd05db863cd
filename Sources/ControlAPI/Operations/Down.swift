/// Stops everything in order and ends the supervisor. Answered when nothing is left, or what is left can't be ended;
/// progress comes as events.
package enum Down: ControlOperation {
    package static let method = "down"

    package struct Parameters: Hashable, Codable, Sendable {
        package init() {}
    }

    package struct Answer: Hashable, Codable, Sendable {
        /// What could not be ended. Not empty: `down` failed.
        package var survivors: [SurvivorReport]

        package init(survivors: [SurvivorReport]) { self.survivors = survivors }
    }
}
