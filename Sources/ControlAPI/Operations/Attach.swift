/// Leaves an instance's standard input and output to the client, which has announced itself by then. Answered when all
/// that was printed before is in the log. Ends when the client is gone, whatever becomes of the connection.
package enum Attach: ControlOperation {
    package static let method = "attach"

    package struct Parameters: Hashable, Codable, Sendable {
        /// A sidecar of one instance, or an instance such as `mcp/0`.
        package var instance: String
        /// The client holds the presence's lock: whoever was attached before is gone, even if nobody noticed yet.
        package var isAlone: Bool

        enum CodingKeys: String, CodingKey { case instance, isAlone = "alone" }

        package init(instance: String, isAlone: Bool) {
            self.instance = instance
            self.isAlone = isAlone
        }
    }

    package struct Answer: Hashable, Codable, Sendable {
        package var incarnation: UInt64
        package var pid: Int32

        package init(incarnation: UInt64, pid: Int32) {
            self.incarnation = incarnation
            self.pid = pid
        }
    }
}
