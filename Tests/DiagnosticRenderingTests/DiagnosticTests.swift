import DiagnosticRendering
import SidecarModel
import Testing

@Suite struct DiagnosticTests {
    private let diagnostic = Diagnostic(
        rule: "unknown-key", message: "there is no key 'imge'",
        location: SourceLocation(file: "a.yaml", line: 12, column: 5, offset: 80, length: 4),
        snippet: "    imge: \"x\"",
        related: [
            Diagnostic.Related(message: "see", location: SourceLocation(file: "a.yaml", line: 1, column: 2, offset: 1))
        ], help: "did you mean 'image'?")

    @Test func `text has a place, a caret and the way out`() {
        #expect(
            diagnosticText([diagnostic]) == """
                a.yaml:12:5: error: there is no key 'imge' [unknown-key]
                 12 |     imge: "x"
                    |     ^^^^
                  note: a.yaml:1:2: see
                  help: did you mean 'image'?

                """)
        #expect(diagnosticSummary([diagnostic]) == "1 error")
        #expect(diagnosticSummary([]) == nil)
    }

    @Test func `colours are there when asked for`() {
        #expect(diagnosticText([diagnostic], colour: true).contains("\u{1B}[1;31merror: \u{1B}[0m"))
        #expect(!diagnosticText([diagnostic]).contains("\u{1B}"))
    }

    @Test func `nothing in a manifest can steer the terminal`() {
        var hostile = diagnostic
        hostile.message = "a\u{1B}[2Jb\u{202E}"
        hostile.snippet = "\t\u{1B}]0;x\u{7}"
        #expect(!diagnosticText([hostile]).unicodeScalars.contains { [0x1B, 0x07, 0x202E, 0x09].contains($0.value) })
    }

    @Test func `in json too, and readers get the text as it was`() {
        var hostile = diagnostic
        hostile.message = "a\u{1B}\u{9B}31m\u{7F}\u{202E}\u{2028}\té/\"\\"
        let json = diagnosticJSON([hostile])
        #expect(json.contains(#""a\u001b\u009b31m\u007f\u202e\u2028\té/\"\\""#))
        #expect(!json.unicodeScalars.contains { $0.steersTerminal && $0 != "\n" })
    }

    @Test func `a long line is cut round its caret`() {
        var long = diagnostic
        long.snippet = String(repeating: "a", count: 500) + "HERE" + String(repeating: "b", count: 500)
        long.location?.column = 501
        let lines = diagnosticText([long]).split(separator: "\n")
        #expect(lines[1].count < 120)
        let caret = lines[2].distance(
            from: lines[2].startIndex, to: lines[2].firstIndex(of: "^") ?? lines[2].startIndex)
        #expect(String(lines[1].dropFirst(caret).prefix(4)) == "HERE")
    }

    @Test func `json has the documented shape`() {
        #expect(
            diagnosticJSON([diagnostic]) == """
                {
                  "valid": false,
                  "errors": 1,
                  "warnings": 0,
                  "diagnostics": [
                    {
                      "rule": "unknown-key",
                      "severity": "error",
                      "message": "there is no key 'imge'",
                      "location": {
                        "file": "a.yaml",
                        "line": 12,
                        "column": 5,
                        "offset": 80,
                        "length": 4
                      },
                      "snippet": "    imge: \\"x\\"",
                      "help": "did you mean 'image'?",
                      "related": [
                        {
                          "message": "see",
                          "location": {
                            "file": "a.yaml",
                            "line": 1,
                            "column": 2,
                            "offset": 1,
                            "length": 1
                          }
                        }
                      ]
                    }
                  ]
                }

                """)
        #expect(diagnosticJSON([]).contains("\"valid\": true"))
    }

    @Test func `json escapes what must be`() {
        #expect(JSONValue.string("\"\\\n\u{1}é\u{7F}").text(indented: false) == "\"\\\"\\\\\\n\\u0001é\\u007f\"")
        #expect(JSONValue.object(["a": [1, true], "b": nil]).text(indented: false) == "{\"a\":[1,true]}")
    }
}
