import SidecarModel

/// Text that may come from anywhere, made fit to be shown.
package enum TerminalText {
    /// The text with whatever could steer a terminal made visible: a log line or a name must not move the cursor, rename
    /// the window or hide what stands after it.
    package static func safe(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.steersTerminal) else { return text }
        var safe = ""
        for scalar in text.unicodeScalars {
            if scalar.steersTerminal {
                safe += scalar.escapedForTerminal
            } else {
                safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }
}

extension Unicode.Scalar {
    fileprivate var escapedForTerminal: String {
        switch value {
        case 0x1b: "\\e"
        case 0x0a: "\\n"
        case 0x0d: "\\r"
        case 0x00...0xff: "\\x" + (value < 16 ? "0" : "") + String(value, radix: 16)
        default: "\\u{" + String(value, radix: 16) + "}"
        }
    }
}
