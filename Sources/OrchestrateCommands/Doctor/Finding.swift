/// What an examination says of one thing, and how to mend it.
struct Finding: Encodable, Hashable {
    enum Verdict: String, Encodable {
        case good
        /// It works, and could be better.
        case notice
        /// Something does not work, or is left over.
        case wrong
    }

    var area: String
    var subject: String
    var verdict: Verdict
    /// As a sentence, without its full stop.
    var detail: String
    /// What to do. Nil: nothing.
    var remedy: String?

    static func good(_ area: String, _ subject: String, _ detail: String) -> Finding {
        Finding(area: area, subject: subject, verdict: .good, detail: detail)
    }

    static func notice(_ area: String, _ subject: String, _ detail: String, remedy: String? = nil) -> Finding {
        Finding(area: area, subject: subject, verdict: .notice, detail: detail, remedy: remedy)
    }

    static func wrong(_ area: String, _ subject: String, _ detail: String, remedy: String) -> Finding {
        Finding(area: area, subject: subject, verdict: .wrong, detail: detail, remedy: remedy)
    }
}
