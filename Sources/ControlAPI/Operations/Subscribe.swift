package import SidecarModel

/// From the answer on, every event is sent as a notification on this connection. The answer is what was true before
/// the first of them, so that nothing is missed in between.
package enum Subscribe: ControlOperation {
    package static let method = "subscribe"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Each transition carries the whole instance.
        package var withReports: Bool
        /// Only transitions into one of these; empty: all. Other events come in any case.
        package var states: [StateName]
        /// Whether the answer lists the sidecars; who only waits for what comes does without.
        package var withSidecars: Bool

        enum CodingKeys: String, CodingKey {
            case states
            case withReports = "with_reports"
            case withSidecars = "with_sidecars"
        }

        package init(withReports: Bool = false, states: [StateName] = [], withSidecars: Bool = true) {
            self.withReports = withReports
            self.states = states
            self.withSidecars = withSidecars
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            withReports = try container.decodeIfPresent(Bool.self, forKey: .withReports) ?? false
            states = try container.decodeIfPresent([StateName].self, forKey: .states) ?? []
            withSidecars = try container.decodeIfPresent(Bool.self, forKey: .withSidecars) ?? true
        }
    }

    package struct Answer: Hashable, Codable, Sendable {
        /// Of the last event before the snapshot.
        package var sequence: UInt64
        package var project: ProjectReport

        package init(sequence: UInt64, project: ProjectReport) {
            self.sequence = sequence
            self.project = project
        }
    }
}
