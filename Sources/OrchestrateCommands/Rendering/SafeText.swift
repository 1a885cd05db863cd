extension String {
    /// The text with whatever could steer a terminal made visible: a log line or a name must not move the cursor,
    /// rename the window or hide what stands after it.
    var terminalSafe: String {
        guard unicodeScalars.contains(where: \.steersTerminal) else { return self }
        var safe = ""
        for scalar in unicodeScalars {
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
    /// Control characters but the tab, and those that reorder the line.
    fileprivate var steersTerminal: Bool {
        switch value {
        case 0x09: false
        case 0x00...0x1f, 0x7f...0x9f: true
        case 0x202a...0x202e, 0x2066...0x2069, 0x200e, 0x200f: true
        default: false
        }
    }

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
