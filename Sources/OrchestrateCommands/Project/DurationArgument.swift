import ArgumentParser
import ManifestLoading

/// A duration on the command line, written as in the manifest: `250ms`, `5s`, `1.5s`, `1m30s`, `2h`.
struct DurationArgument: ExpressibleByArgument {
    var value: Duration

    init?(argument: String) {
        guard case .success(let duration) = parseDuration(argument) else { return nil }
        value = duration
    }

    /// For an option, which tells why it is refused.
    static func parse(_ argument: String) throws -> Self {
        switch parseDuration(argument) {
        case .success(let duration): return Self(value: duration)
        case .failure(let failure):
            let what =
                switch failure {
                case .missingUnit: "'\(argument)' is without a unit"
                case .malformed: "'\(argument)' is no duration"
                case .outOfOrder: "'\(argument)' is no duration: each unit stands once, the largest first"
                case .tooLarge: "'\(argument)' is longer than 100 years"
                }
            throw ValidationError(
                [what, failure.advice(forDuration: argument)].compactMap(\.self).joined(separator: "; "))
        }
    }

    private init(value: Duration) { self.value = value }
}
