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
        let query = LogQuery(last: 1000, since: WallTime(microseconds: since.microseconds))
        guard let reader = try? LogReader(access.sources, query: query) else { return nil }
        self.reader = reader
        text = LogText(names: access.names, palette: palette, showsTime: false)
    }

    var descriptor: Int32 { reader.descriptor }

    func next() -> [String] {
        var lines: [String] = []
        reader.read { lines.append(text.line($0)) }
        return lines
    }
}
