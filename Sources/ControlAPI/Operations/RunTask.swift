/// Runs a task now, whatever it did before. Answered when the core has taken it up; its end comes as an event.
package enum RunTask: ControlOperation {
    package static let method = "run"

    /// Why what runs until it is stopped is not run.
    package static func refusal(of name: String, use: String) -> String {
        "'\(name)' is no task: it runs until it is stopped. Use \(use)"
    }

    package struct Parameters: Hashable, Codable, Sendable {
        package var name: String

        package init(name: String) { self.name = name }
    }

    package struct Answer: Hashable, Codable, Sendable {
        package var instances: [String]

        package init(instances: [String]) { self.instances = instances }
    }
}
