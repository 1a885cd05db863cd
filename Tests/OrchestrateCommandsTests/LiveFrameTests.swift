import Testing

@testable import OrchestrateCommands

struct LiveFrameTests {
    private func terminal(columns: Int, wrapsAnew: Bool = true) -> Terminal {
        var terminal = Terminal(isInteractive: true, usesColor: true, columns: columns)
        terminal.wrapsAnew = wrapsAnew
        return terminal
    }

    /// How many rows up a frame begins.
    private func rowsUp(_ text: String) -> Int? {
        guard text.hasPrefix("\r\u{1b}["), let end = text.firstIndex(of: "A") else { return nil }
        return Int(text[text.index(text.startIndex, offsetBy: 3)..<end])
    }

    /// 70, 30 and no letters.
    private let lines = [
        String(repeating: "a", count: 70), "\u{1b}[31m" + String(repeating: "b", count: 30) + "\u{1b}[0m", "",
    ]

    @Test func `the first frame begins where the cursor is, the next one where the first began`() {
        var frame = LiveFrame()
        let first = frame.redraw(lines, on: terminal(columns: 80))
        #expect(first.hasPrefix("\r\u{1b}[?7la"))
        #expect(first.hasSuffix("\u{1b}[J\u{1b}[?7h"))
        #expect(rowsUp(frame.redraw(["one"], on: terminal(columns: 80))) == 3)
        #expect(rowsUp(frame.redraw(["one"], on: terminal(columns: 80))) == 1)
    }

    @Test(arguments: [(80, 3), (70, 3), (69, 4), (35, 4), (30, 5), (20, 7)])
    func `lines that a narrower terminal wrapped anew are erased whole`(columns: Int, rows: Int) {
        var frame = LiveFrame()
        _ = frame.redraw(lines, on: terminal(columns: 80))
        var other = frame
        #expect(rowsUp(frame.redraw(["one"], on: terminal(columns: columns))) == rows)
        #expect(other.erase(on: terminal(columns: columns)) == "\r\u{1b}[\(rows)A\u{1b}[J")
    }

    @Test func `where a terminal cuts off what it has no room for, a line stays a row`() {
        var frame = LiveFrame()
        _ = frame.redraw(lines, on: terminal(columns: 80, wrapsAnew: false))
        #expect(rowsUp(frame.redraw(["one"], on: terminal(columns: 20, wrapsAnew: false))) == 3)
    }

    @Test func `a frame that is left is not drawn over`() {
        var frame = LiveFrame()
        _ = frame.redraw(lines, on: terminal(columns: 80))
        frame.leave()
        #expect(frame.erase(on: terminal(columns: 80)) == "")
        #expect(rowsUp(frame.redraw(["one"], on: terminal(columns: 80))) == nil)
    }
}
