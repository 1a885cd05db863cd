/// From the answer on, every event is sent as a notification on this connection. The answer is what was true before
/// the first of them, so that nothing is missed in between.
package enum Subscribe: ControlOperation {
    package static let method = "subscribe"

    package struct Parameters: Hashable, Codable, Sendable {
        /// Each transition carries the whole instance.
        package var withReports: Bool

        enum CodingKeys: String, CodingKey { case withReports = "with_reports" }

        package init(withReports: Bool = false) { self.withReports = withReports }
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
