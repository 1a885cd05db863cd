package import SidecarModel

/// Diagnostics for programs. The shape is part of the interface:
///
///     { "valid": false, "errors": 1, "warnings": 0, "diagnostics": [
///       { "rule": "unknown-key", "severity": "error", "message": "…", "help": "…", "snippet": "…",
///         "location": { "file": "…", "line": 1, "column": 1, "offset": 0, "length": 4 },
///         "related": [ { "message": "…", "location": { … } } ] } ] }
///
/// `location`, `snippet` and `help` are absent where there is none. Lines and columns count from 1, columns and lengths
/// in characters; offsets count bytes from 0.
package func diagnosticJSON(_ diagnostics: [Diagnostic]) -> String {
    let errors = diagnostics.count { $0.severity == .error }
    return JSONValue.object([
        "valid": .bool(errors == 0),
        "errors": .int(errors),
        "warnings": .int(diagnostics.count - errors),
        "diagnostics": .array(diagnostics.map(JSONValue.init)),
    ]).text()
}

extension JSONValue {
    fileprivate init(_ diagnostic: Diagnostic) {
        self = .object([
            "rule": .string(diagnostic.rule),
            "severity": .string(diagnostic.severity.rawValue),
            "message": .string(diagnostic.message),
            "location": diagnostic.location.map(JSONValue.init),
            "snippet": diagnostic.snippet.map { .string($0) },
            "help": diagnostic.help.map { .string($0) },
            "related": .array(
                diagnostic.related.map {
                    .object(["message": .string($0.message), "location": JSONValue($0.location)])
                }),
        ])
    }

    fileprivate init(_ location: SourceLocation) {
        self = .object([
            "file": .string(location.file), "line": .int(location.line), "column": .int(location.column),
            "offset": .int(location.offset), "length": .int(location.length),
        ])
    }
}
