/// Lines of a log within a report. `orchestrate logs` has all of them.
enum LogQuote {
    private static let mark = "    | "

    /// - Parameter columns: of the terminal they are shown on. Nil: on none.
    static func lines(_ words: [String], columns: Int?, _ palette: Palette) -> [String] {
        let limit = min(500, columns.map { max(1, 4 * $0 - mark.count) } ?? .max)
        // A letter that is not shown as such takes more than one.
        return words.map { palette.paint(mark, .dim) + $0.cut(to: limit).terminalSafe.cut(to: limit) }
    }
}
