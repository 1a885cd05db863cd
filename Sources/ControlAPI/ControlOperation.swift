/// One thing a client can ask of a supervisor: its name on the wire, what it takes and what it answers.
package protocol ControlOperation {
    associatedtype Parameters: Codable & Sendable
    associatedtype Answer: Codable & Sendable

    static var method: String { get }
}

/// The version both sides say in `hello`. A higher minor only adds; another major is refused.
package struct ControlVersion: Hashable, Codable, Sendable, CustomStringConvertible {
    package var major: Int
    package var minor: Int

    package init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    package static let current = ControlVersion(major: 1, minor: 0)

    package var description: String { "\(major).\(minor)" }
}

/// For operations that answer nothing but "done".
package struct Acknowledgement: Hashable, Codable, Sendable {
    package init() {}
}

/// What the wire allows.
package enum ControlLimits {
    /// Bytes of one request, newline included.
    package static let requestBytes = 4 << 20
    /// Bytes a subscriber may leave unread before it is told that it missed events.
    package static let eventBacklogBytes = 4 << 20
    /// Of answers a client has not read: past it the connection is closed.
    package static let answerBacklogBytes = 64 << 20
}
