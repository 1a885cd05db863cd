/// Lines on a terminal that are drawn over in place.
struct LiveFrame {
    /// Of each line that was drawn, without colours.
    private var widths: [Int] = []

    /// What replaces the frame with these lines, none of which is wider than the terminal.
    mutating func redraw(_ lines: [String], on terminal: Terminal) -> String {
        let start = wayToStart(on: terminal)
        widths = lines.map { min($0.withoutColors.count, terminal.columns) }
        // Each line is written over the one before: erasing all of them first would flicker. Nothing wraps meanwhile: a
        // letter may be wider than a column.
        return start + "\u{1b}[?7l" + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J\u{1b}[?7h"
    }

    /// What takes the frame away, so that something else can follow.
    mutating func erase(on terminal: Terminal) -> String {
        guard !widths.isEmpty else { return "" }
        defer { widths = [] }
        return wayToStart(on: terminal) + "\u{1b}[J"
    }

    /// It stays where it is, and the next begins below.
    mutating func leave() { widths = [] }

    /// To its first line. From the first column: Ctrl-C leaves its echo before the cursor.
    private func wayToStart(on terminal: Terminal) -> String {
        let columns = terminal.columns
        let rows = widths.reduce(0) { $0 + (terminal.wrapsAnew ? max(1, ($1 + columns - 1) / columns) : 1) }
        return rows > 0 ? "\r\u{1b}[\(rows)A" : "\r"
    }
}
