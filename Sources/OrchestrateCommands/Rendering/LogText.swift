import Supervision

/// A log line as people read it: who said it, when asked at what time, and what.
struct LogText {
    var palette: Palette
    var showsTime: Bool
    /// By instance; padded to the same width.
    private var prefixes: [LogInstance: String] = [:]

    init(names: [LogInstance: String], palette: Palette, showsTime: Bool) {
        self.palette = palette
        self.showsTime = showsTime
        let width = names.values.map { $0.terminalSafe.count }.max() ?? 0
        for (instance, name) in names {
            let safe = name.terminalSafe
            let padded = safe + String(repeating: " ", count: width - safe.count) + " | "
            prefixes[instance] = palette.paint(padded, palette.prefixColor(of: name))
        }
    }

    func line(_ entry: LogEntry) -> String {
        let prefix = prefixes[entry.instance] ?? ""
        let time = showsTime ? palette.paint(entry.time.description, .dim) + " " : ""
        let text = entry.line.string.withoutColors.terminalSafe
        return prefix + time + (entry.line.stream == .system ? palette.paint(text, .dim) : text)
    }
}

extension String {
    /// Without the sequences that only set colours: well-meant, and noise once everything else is made visible.
    var withoutColors: String {
        guard utf8.contains(0x1b) else { return self }
        var kept: [UInt8] = []
        let bytes = Array(utf8)
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x1b, index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "[") {
                let end = bytes[(index + 2)...].firstIndex { !(0x30...0x3b).contains($0) }
                if let end, bytes[end] == UInt8(ascii: "m") {
                    index = end + 1
                    continue
                }
            }
            kept.append(bytes[index])
            index += 1
        }
        return String(decoding: kept, as: UTF8.self)
    }
}
