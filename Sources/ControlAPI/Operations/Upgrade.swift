/// Keeper, guard and supervisor go on as other programs; sidecars don't notice. Answered when the supervisor is about to
/// end: whether the keeper could become the new one shows in who answers after that.
package enum Upgrade: ControlOperation {
    package static let method = "upgrade"

    /// What the new programs can read, by the versions of what they share with those before.
    package struct Versions: Hashable, Codable, Sendable {
        package var records: UInt32
        package var handover: UInt32
        package var store: Int

        package init(records: UInt32, handover: UInt32, store: Int) {
            self.records = records
            self.handover = handover
            self.store = store
        }
    }

    package struct Parameters: Hashable, Codable, Sendable {
        /// Absolute paths.
        package var program: String
        package var keeper: String
        package var versions: Versions

        package init(program: String, keeper: String, versions: Versions) {
            self.program = program
            self.keeper = keeper
            self.versions = versions
        }
    }

    package typealias Answer = Acknowledgement
}
