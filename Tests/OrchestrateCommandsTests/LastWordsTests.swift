import Supervision
import Testing

@testable import OrchestrateCommands

struct LastWordsTests {
    /// `n` is the note that life n begins, `x` that it ended; all else is said by the sidecar or a process of its.
    private func words(_ log: String, of incarnation: UInt64) -> [String] {
        var words = LastWords(of: incarnation)
        for part in log.split(separator: " ") {
            let line: LogLine
            if let number = UInt64(part) {
                line = LogLine(time: nil, stream: .system, text: Array("incarnation \(number) started".utf8))
            } else if part == "x" {
                line = LogLine(time: nil, stream: .system, text: Array("exit 3".utf8))
            } else {
                line = LogLine(time: nil, stream: .stdout, text: Array(part.utf8))
            }
            words.take(line)
        }
        return words.lines
    }

    @Test(arguments: [
        ("1 a x 2 b x", "b"), ("1 a x 2 x", ""), ("1 a 2 b", "b"), ("1 a x 2", ""), ("a b", "a b"), ("", ""),
        ("1 a x hook 2 x", "hook"), ("1 a x hook 2 b x child", "hook b child"), ("1 a x hook", "a hook"),
        ("a x 2 b", "b"), ("hook 1 a x", "hook a"),
    ])
    func `they are of the last life, with its hook's before and its children's after`(_ log: String, _ last: String) {
        let incarnation = log.split(separator: " ").compactMap { UInt64($0) }.last ?? 1
        #expect(words(log, of: incarnation).joined(separator: " ") == last)
    }

    @Test(arguments: [("1 a x", ""), ("1 a x hook", "hook"), ("1 a", ""), ("1 a x child 2 b x", ""), ("hook", "hook")])
    func `they are not of the life before, where the last one could not begin`(_ log: String, _ last: String) {
        #expect(words(log, of: 3).joined(separator: " ") == last)
    }

    @Test func `a notice is a word, other notes are not`() {
        var words = LastWords(of: 1)
        for text in ["! 2 lines were dropped here: no space", "hook post_stop failed: exit 1"] {
            words.take(LogLine(time: nil, stream: .system, text: Array(text.utf8)))
        }
        #expect(words.lines == ["! 2 lines were dropped here: no space"])
    }
}
