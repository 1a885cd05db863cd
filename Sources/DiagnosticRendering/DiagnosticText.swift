package import SidecarModel

/// Diagnostics for a terminal: a line to click on, the source line with a caret, related places, and the way out.
///
/// Control characters of the manifest are shown as U+FFFD, so that no text in it can steer the terminal.
package func diagnosticText(_ diagnostics: [Diagnostic], colour: Bool = false) -> String {
    var writer = DiagnosticWriter(palette: colour ? .ansi : .plain)
    for diagnostic in diagnostics { writer.write(diagnostic) }
    return writer.text
}

/// `2 errors, 1 warning`, or nil when there is nothing.
package func diagnosticSummary(_ diagnostics: [Diagnostic]) -> String? {
    let errors = diagnostics.count { $0.severity == .error }
    let warnings = diagnostics.count - errors
    var parts: [String] = []
    if errors > 0 { parts.append("\(errors) \(errors == 1 ? "error" : "errors")") }
    if warnings > 0 { parts.append("\(warnings) \(warnings == 1 ? "warning" : "warnings")") }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
}

private struct Palette {
    var bold = ""
    var red = ""
    var yellow = ""
    var blue = ""
    var reset = ""

    static let plain = Palette()
    static let ansi = Palette(
        bold: "\u{1B}[1m", red: "\u{1B}[1;31m", yellow: "\u{1B}[1;33m", blue: "\u{1B}[1;34m", reset: "\u{1B}[0m")
}

private struct DiagnosticWriter {
    let palette: Palette
    var text = ""

    init(palette: Palette) { self.palette = palette }

    mutating func write(_ diagnostic: Diagnostic) {
        let tint = diagnostic.severity == .error ? palette.red : palette.yellow
        if let location = diagnostic.location { text += "\(palette.bold)\(place(location)): \(palette.reset)" }
        text += "\(tint)\(diagnostic.severity.rawValue): \(palette.reset)"
        text += "\(palette.bold)\(printable(diagnostic.message))\(palette.reset) [\(diagnostic.rule)]\n"
        if let location = diagnostic.location, let snippet = diagnostic.snippet {
            write(snippet: snippet, at: location, tint: tint)
        }
        for related in diagnostic.related {
            text += "  \(palette.blue)note:\(palette.reset) \(place(related.location)): \(printable(related.message))\n"
        }
        if let help = diagnostic.help { text += "  \(palette.blue)help:\(palette.reset) \(printable(help))\n" }
    }

    private func place(_ location: SourceLocation) -> String {
        "\(printable(location.file)):\(location.line):\(location.column)"
    }

    private mutating func write(snippet: String, at location: SourceLocation, tint: String) {
        let number = String(location.line)
        let window = SnippetWindow(line: snippet, column: location.column, length: location.length)
        let margin = String(repeating: " ", count: number.utf8.count)
        text += " \(palette.blue)\(number) |\(palette.reset) \(printable(window.text))\n"
        text += " \(palette.blue)\(margin) |\(palette.reset) "
        text += String(repeating: " ", count: window.indent)
        text += "\(tint)\(String(repeating: "^", count: window.carets))\(palette.reset)\n"
    }

    private func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0 == "\t" || $0.steersTerminal }) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "\t" { shown.append(" ") } else { shown.append(scalar.steersTerminal ? "\u{FFFD}" : scalar) }
        }
        return String(shown)
    }
}

/// The part of a line round its caret that fits a terminal.
struct SnippetWindow {
    static let width = 100

    let text: String
    let indent: Int
    let carets: Int

    init(line: String, column: Int, length: Int) {
        let scalars = line.unicodeScalars
        let before = max(0, column - 1)
        let count = scalars.count
        let start = count <= Self.width ? 0 : max(0, min(before - Self.width / 3, count - Self.width))
        let end = min(count, start + Self.width)
        let from = scalars.index(scalars.startIndex, offsetBy: start)
        let to = scalars.index(scalars.startIndex, offsetBy: end)
        text = (start > 0 ? "…" : "") + String(scalars[from..<to]) + (end < count ? "…" : "")
        indent = max(0, min(before, end) - start) + (start > 0 ? 1 : 0)
        carets = max(1, min(length, end - min(before, end)))
    }
}
