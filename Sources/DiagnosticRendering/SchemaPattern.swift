/// Texts with a form of their own, as regular expressions that every dialect knows.
package enum SchemaPattern {
    private static let number = "[0-9]+(\\.[0-9]+)?"
    private static let port =
        "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

    /// Each unit once, the largest first: one alternative for each unit it may begin with.
    package static let duration: String = {
        let units = ["d", "h", "m", "s", "ms", "us"].map { "\(number)\($0)" }
        let alternatives = units.indices.map { first in
            units[first] + units[(first + 1)...].map { "(\($0))?" }.joined()
        }
        return "^(0|\(alternatives.joined(separator: "|")))$"
    }()

    package static let size = "^\(number)(B|[kKMGT]B|[KMGT]iB?)$"
    package static let portRange = "^(auto|\(port)(-\(port))?)$"
    package static let portName = "^[a-z0-9][a-z0-9_-]{0,62}$"
}
