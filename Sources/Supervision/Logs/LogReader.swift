import CProcess
import Glibc

/// The log files of one instance.
package struct LogSource: Hashable, Sendable {
    package var instance: LogInstance
    /// `logs` in the state directory, or the sidecar's `logs.dir`.
    package var directory: String

    package init(instance: LogInstance, directory: String) {
        self.instance = instance
        self.directory = directory
    }

    /// All instances that have a log in this directory, by name and number.
    package static func found(in directory: String) throws(SystemError) -> [LogSource] {
        var instances: Set<LogInstance> = []
        for name in try Directory.names(in: directory) {
            let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let replica = Int(parts[1]) else { continue }
            let instance = LogInstance(sidecar: String(parts[0]), replica: replica)
            if name == instance.fileName || instance.rotatedName(ofFile: name) != nil { instances.insert(instance) }
        }
        return instances.sorted { ($0.sidecar, $0.replica) < ($1.sidecar, $1.replica) }
            .map { LogSource(instance: $0, directory: directory) }
    }

    /// There is a log, if only an empty one.
    package var isWritten: Bool { !files().isEmpty }

    /// Oldest first, the current one last; compressed ones by the name they had before.
    func files() -> [String] {
        let names = (try? Directory.names(in: directory, beginningWith: instance.stem + ".")) ?? []
        let rotated = Set(names.compactMap(instance.rotatedName)).sorted()
        return names.contains(instance.fileName) ? rotated + [instance.fileName] : rotated
    }
}

/// Which lines are wanted.
package struct LogQuery: Sendable {
    /// At most so many of each instance, the newest.
    package var last: Int?
    /// Both ends included.
    package var since: WallTime?
    package var until: WallTime?
    /// A line must contain a match.
    package var pattern: RegularExpression?
    /// Only the incarnation before the one that was started last.
    package var previous: Bool
    /// The supervisor's own notes too, besides those on lost and repeated lines.
    package var includesSystem: Bool
    /// Also those that are written after the reading began. Without that it ends, however fast they come.
    package var follows: Bool

    package init(
        last: Int? = nil, since: WallTime? = nil, until: WallTime? = nil, pattern: RegularExpression? = nil,
        previous: Bool = false, includesSystem: Bool = false, follows: Bool = false
    ) {
        self.follows = follows
        self.last = last
        self.since = since
        self.until = until
        self.pattern = pattern
        self.previous = previous
        self.includesSystem = includesSystem
    }

    func accepts(_ line: LogLine, at time: WallTime) -> Bool {
        if line.stream == .system, !includesSystem, !line.isNotice { return false }
        if let since, time < since { return false }
        if let until, time > until { return false }
        guard let pattern else { return true }
        return line.text.withUnsafeBytes { pattern.matches($0) }
    }
}

package struct LogEntry: Hashable, Sendable {
    package var instance: LogInstance
    /// Of the line, or of the one before it in a log without time stamps.
    package var time: WallTime
    package var line: LogLine
}

/// Reads the logs of several instances as one, in order of time. Needs no supervisor.
///
/// One thread at a time. `read` gives what there is; to follow, wait for `descriptor` to become readable and call
/// `read` again: it goes on where it stopped.
package final class LogReader {
    /// An inotify descriptor: readable when any of the logs changed since the last `read`.
    package let descriptor: Int32
    private let query: LogQuery
    private var cursors: [LogCursor] = []
    private var isFirst: [Bool] = []
    /// The next line of each instance that has one, and where those after it come from.
    private var heads = MergeHeap()
    private var streams: [Stream?] = []

    /// A function that is kept in an array is wrapped once more each time it is put there.
    private final class Stream {
        let next: Lines

        init(next: @escaping Lines) { self.next = next }
    }

    package init(_ sources: [LogSource], query: LogQuery) throws(SystemError) {
        self.query = query
        descriptor = loop_inotify_create()
        guard descriptor >= 0 else { throw .last("inotify_init1") }
        for source in sources { try add(source) }
    }

    deinit { close(descriptor) }

    /// One more instance, from its start or as the query says.
    package func add(_ source: LogSource) throws(SystemError) {
        try Directory.create(source.directory)
        guard loop_inotify_add(descriptor, source.directory) >= 0 else {
            throw .last("inotify_add_watch \(source.directory)")
        }
        cursors.append(LogCursor(source))
        isFirst.append(true)
    }

    /// Every line that is wanted and was not given yet, merged by time.
    /// - Parameter most: lines, at which it stops: one that is written faster than it is read never ends.
    /// - Returns: whether it stopped there; what is left is not told by `descriptor`.
    @discardableResult
    package func read<Failure: Error>(
        atMost most: Int = .max, _ body: (LogEntry) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        acknowledge()
        streams += repeatElement(nil, count: cursors.count - streams.count)
        for index in cursors.indices where streams[index] == nil { advance(index, of: Stream(next: stream(index))) }
        var count = 0
        while let (line, time, index) = heads.removeFirst() {
            try body(LogEntry(instance: cursors[index].source.instance, time: time, line: line))
            if let stream = streams[index] { advance(index, of: stream) }
            count += 1
            if count == most { return true }
        }
        return false
    }

    /// Nil is what has nothing more for now.
    private func advance(_ index: Int, of stream: Stream) {
        if let (line, time) = stream.next() {
            heads.insert(line, time, index)
            streams[index] = stream
        } else {
            streams[index] = nil
        }
    }

    private func acknowledge() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while Glibc.read(descriptor, buffer.baseAddress, 4096) > 0 {}
        }
    }

    private typealias Lines = () -> (LogLine, WallTime)?

    /// The lines of one instance, filtered.
    private func stream(_ index: Int) -> Lines {
        let cursor = cursors[index]
        let query = query
        if isFirst[index] { cursor.markEnd() }
        var filtered: Lines = {
            while query.follows || !cursor.isPastEnd, let (line, time) = cursor.next() {
                if query.accepts(line, at: time) { return (line, time) }
            }
            return nil
        }
        guard isFirst[index] else { return filtered }
        isFirst[index] = false
        if query.previous { filtered = previousLife(cursor.source) }
        guard let last = query.last else { return filtered }
        if query.pattern == nil, query.until == nil, !query.previous {
            // Notes are not counted, so a few more are looked at than will be shown.
            cursor.seek(backLines: last + 64)
        }
        return Self.keepingLast(last, of: filtered) { query.previous || !cursor.isPastEnd }
    }

    /// And then what follows those that were there.
    private static func keepingLast(
        _ count: Int, of lines: @escaping Lines, while areThere: @escaping () -> Bool
    ) -> Lines {
        var kept: [(LogLine, WallTime)] = []
        var isRead = false
        var next = 0
        return {
            if !isRead {
                isRead = true
                while areThere(), let line = lines() {
                    kept.append(line)
                    // Dropped in bulk: one at a time would move the rest each time.
                    if kept.count >= 2 * count + 1024 { kept.removeFirst(kept.count - count) }
                }
                next = max(0, kept.count - count)
            }
            guard next < kept.count else { return lines() }
            defer { next += 1 }
            return kept[next]
        }
    }

    private func previousLife(_ source: LogSource) -> Lines {
        let counting = LogCursor(source)
        var starts = 0
        counting.markEnd()
        while !counting.isPastEnd, let (line, _) = counting.next() { if line.startedIncarnation != nil { starts += 1 } }
        let cursor = LogCursor(source)
        let query = query
        var seen = 0
        return {
            while seen < starts, let (line, time) = cursor.next() {
                if line.startedIncarnation != nil { seen += 1 }
                if seen == starts { return nil }
                if seen == starts - 1, query.accepts(line, at: time) { return (line, time) }
            }
            return nil
        }
    }
}

/// The next line of each instance, soonest first; of equal times, the instance named first.
private struct MergeHeap {
    private var heap: [(line: LogLine, time: WallTime, index: Int)] = []

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].index) < (heap[right].time, heap[right].index)
    }

    mutating func insert(_ line: LogLine, _ time: WallTime, _ index: Int) {
        heap.append((line, time, index))
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() -> (LogLine, WallTime, Int)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.line, first.time, first.index) }
        heap[0] = last
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, precedes(child + 1, child) { child += 1 }
            guard precedes(child, parent) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return (first.line, first.time, first.index)
    }
}
