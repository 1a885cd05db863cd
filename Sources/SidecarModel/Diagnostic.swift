/// A place in a file of the manifest. Lines and columns count from 1, columns in characters; offset in bytes from 0.
package struct SourceLocation: Hashable, Codable, Sendable, Comparable {
    package var file: String
    package var line: Int
    package var column: Int
    package var offset: Int
    /// Characters the caret underlines, at least 1.
    package var length: Int

    package init(file: String, line: Int, column: Int, offset: Int, length: Int = 1) {
        self.file = file
        self.line = line
        self.column = column
        self.offset = offset
        self.length = length
    }

    package static func < (left: SourceLocation, right: SourceLocation) -> Bool {
        (left.file, left.offset) < (right.file, right.offset)
    }
}

/// One problem of a manifest, with its place and, where possible, the way out.
package struct Diagnostic: Hashable, Codable, Sendable {
    package enum Severity: String, Hashable, Codable, Sendable, CaseIterable { case error, warning }

    package struct Related: Hashable, Codable, Sendable {
        package var message: String
        package var location: SourceLocation

        package init(message: String, location: SourceLocation) {
            self.message = message
            self.location = location
        }
    }

    /// Stable id, e.g. `port-range-too-small`.
    package var rule: String
    package var severity: Severity
    /// One sentence, lower case, no full stop.
    package var message: String
    package var location: SourceLocation?
    /// The source line the location stands on.
    package var snippet: String?
    package var related: [Related]
    /// The fix, as an instruction.
    package var help: String?

    package init(
        rule: String, severity: Severity = .error, message: String, location: SourceLocation? = nil,
        snippet: String? = nil, related: [Related] = [], help: String? = nil
    ) {
        self.rule = rule
        self.severity = severity
        self.message = message
        self.location = location
        self.snippet = snippet
        self.related = related
        self.help = help
    }
}
