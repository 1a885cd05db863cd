import ControlAPI
import Supervision

/// The logs of what `up` stays with, line by line as they are written.
final class LogFollower {
    private let reader: LogReader
    private let text: LogText

    /// Nil when the logs can't be followed: `up` is about more than them.
    init?(_ context: ProjectContext, since: Timestamp, palette: Palette) {
        let access = LogAccess(context)
        // What came before is history; few lines of it are looked at.
        let query = LogQuery(last: 1000, since: WallTime(microseconds: since.microseconds), follows: true)
        guard let reader = try? LogReader(access.sources, query: query) else { return nil }
        self.reader = reader
        text = LogText(names: access.names, palette: palette, showsTime: false)
    }

    var descriptor: Int32 { reader.descriptor }

    /// Some of what is new, and whether there is more.
    func next() -> (lines: [String], hasMore: Bool) {
        var lines: [String] = []
        let hasMore = reader.read(atMost: 1000) { lines.append(text.line($0)) }
        return (lines, hasMore)
    }
}
