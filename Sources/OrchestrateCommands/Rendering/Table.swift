/// Columns as wide as their widest cell, two spaces apart. Cells may be coloured; width is counted without that.
struct Table {
    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var color: Palette.Color?

        init(_ text: String, _ color: Palette.Color? = nil) {
            self.text = text.terminalSafe
            self.color = color
        }

        init(stringLiteral value: String) { self.init(value) }
    }

    var header: [String]
    var rows: [[Cell]] = []

    init(_ header: String...) { self.header = header }

    func lines(_ palette: Palette) -> [String] {
        let titles = header.map { Cell($0, .bold) }
        var widths = header.map(\.count)
        for row in rows {
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.text.count) }
        }
        return ([titles] + rows).map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += palette.paint(cell.text, cell.color)
                guard column < row.count - 1 else { continue }
                line += String(repeating: " ", count: widths[column] - cell.text.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
