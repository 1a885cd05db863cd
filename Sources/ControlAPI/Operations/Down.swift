/// Stops everything in order and ends the supervisor. Answered when nothing is left, or what is left can't be ended;
/// progress comes as events.
package enum Down: ControlOperation {
    package static let method = "down"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Forgets which ports the project had, and lets others have them.
        package var releasesPorts: Bool

        enum CodingKeys: String, CodingKey { case releasesPorts = "release_ports" }

        package init(releasesPorts: Bool = false) { self.releasesPorts = releasesPorts }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            releasesPorts = try container.decodeIfPresent(Bool.self, forKey: .releasesPorts) ?? false
        }
    }

    package struct Answer: Hashable, Codable, Sendable {
        /// What could not be ended. Not empty: `down` failed.
        package var survivors: [SurvivorReport]

        package init(survivors: [SurvivorReport]) { self.survivors = survivors }
    }
}
