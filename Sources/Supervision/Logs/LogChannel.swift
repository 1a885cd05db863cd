import CProcess
import Glibc
import SidecarModel

/// The log of one instance on its thread of the pump: from its FIFOs to its file.
///
/// Bytes are looked at in the FIFO, written as whole lines, and only then taken out. Whoever is killed at any instant
/// leaves every line either in the FIFO or in the file, at worst in both.
final class LogChannel {
    struct Stream {
        var output: LogFifos.Output
        var watch: EventLoop.WatchID?
        var size: Int
        var busyPeeks = 0
        /// An unfinished line waits in the FIFO, and its writer's next steps are announced.
        var isAnnounced = false
    }

    /// Why `service` returned.
    enum Outcome {
        /// All there was is written, but for a line that is not finished.
        case idle
        /// Nothing is left, and nobody holds the other end.
        case ended
        /// There is more; others come first.
        case more
        /// A command arrived; it may concern what was being looked at.
        case interrupted
        /// The file can't take it now.
        case blocked
    }

    let instance: LogInstance
    private(set) var file: LogFile
    var streams: [Stream] = []
    var patterns: [LogPattern] = []
    var retry: EventLoop.TimerID?
    /// When something of its files will be too old.
    var expiry: EventLoop.TimerID?
    /// Its turn comes again, as others had to come first.
    var isQueued = false
    /// A hang-up came before all was moved.
    var hasLostItsWriter = false
    private(set) var statistics = LogStatistics()
    private var formatter: LogFormatter
    private var notes: [(WallTime, String)] = []
    private static let mostNotes = 256
    /// Whose start was noted ahead of it, and may have to be taken back; not one that was adopted.
    private var begun: Incarnation?
    private var blockedSince: Instant?
    private var drops: UnnotedDrops
    private var refusals = LogRefusals()
    /// The incarnation whose start is noted, where each of its processes joins.
    private var joined: Incarnation?
    /// Whose lines these are.
    private var current: Incarnation?
    private let compressor: LogCompressor

    init(instance: LogInstance, directory: String, spec: LogSpec, compressor: LogCompressor, fifos: LogFifos) {
        self.instance = instance
        drops = UnnotedDrops(of: instance, in: fifos)
        self.compressor = compressor
        file = LogFile(instance: instance, directory: directory, spec: spec, compressor: compressor)
        formatter = LogFormatter(format: spec.format, timestamps: spec.timestamps)
    }

    var spec: LogSpec {
        get { file.spec }
        set {
            file.spec = newValue
            formatter = LogFormatter(format: newValue.format, timestamps: newValue.timestamps)
        }
    }

    /// Lines to come go there.
    func use(_ directory: String) {
        guard directory != file.directory else { return }
        file = LogFile(instance: instance, directory: directory, spec: file.spec, compressor: compressor)
        blockedSince = nil
    }

    /// In the middle of a life: who reads the new file alone learns whose lines these are.
    func goOn(in directory: String) {
        guard directory != file.directory else { return }
        use(directory)
        guard let current, !notes.contains(where: { $0.1 == LogLine.startNote(current.number) }) else { return }
        notes.insert((.now, LogLine.startNote(current.number)), at: 0)
    }

    /// What a line of that output is written as. Two pipes of one declared as merged have one name.
    private func name(of output: LogFifos.Output) -> LogStream {
        spec.mergesStandardError ? .stdout : output.stream
    }

    /// Written before the next line, or with the next `flushNotes`. While the file takes none, the oldest make room: the
    /// journal has what they say.
    func note(_ text: String, at time: WallTime) {
        if notes.count == Self.mostNotes { notes.removeFirst() }
        notes.append((time, text))
    }

    /// Notes that a life begins.
    func begin(_ incarnation: Incarnation) {
        // The one before never said a word, and its end is not noted: it was given up before it began.
        if let begun, notes.last?.1 == LogLine.startNote(begun.number) { notes.removeLast() }
        begun = incarnation
        current = incarnation
        note(LogLine.startNote(incarnation.number), at: .now)
    }

    /// What was about to begin did not: only where its start is written already, the log says so.
    func withdrawStart(_ incarnation: Incarnation, because reason: String, at time: WallTime, by pump: some LogPumping)
    {
        guard begun == incarnation else { return }
        begun = nil
        if notes.last?.1 == LogLine.startNote(incarnation.number) {
            notes.removeLast()
        } else {
            note(LogLine.withdrawalNote(incarnation.number, because: reason), at: time)
            flushNotes(by: pump)
        }
    }

    /// Its life ended without a line, and nobody needs to read that it began.
    func dropNotes() { notes = [] }

    // MARK: Moving lines

    /// Moves what there is, about `limit` bytes of it at most.
    func service(
        _ index: Int, flushing: LogFormatter.Flush = .nothing, limit: Int, by pump: some LogPumping
    ) throws(SystemError) -> Outcome {
        defer { file.makeRoomForOthers() }
        let fifo = streams[index].output.readEnd
        var moved = 0
        var stuckAt = -1
        while true {
            let bytes: UnsafeRawBufferPointer
            switch try pump.buffers.peek(fifo) {
            case .empty:
                refusals.settle(instance, tell: pump.report)
                announce(index, false)
                return .idle
            case .ended:
                refusals.settle(instance, tell: pump.report)
                announce(index, false)
                return .ended
            case .bytes(let waiting): bytes = waiting
            }
            // What a command announces may be in this peek already: the command comes first.
            if pump.isInterrupted(instance) { return .interrupted }
            guard let consumed = try moveSeen(bytes, index, flushing: flushing, by: pump) else { return .blocked }
            moved += consumed
            if consumed == 0 {
                guard try unblock(index, bytes, isStuck: stuckAt == bytes.count, by: pump) else { return .idle }
                stuckAt = bytes.count
                continue
            }
            // Another line may be left unfinished just as long, and its writer may be about to go on.
            stuckAt = -1
            noteBusyness(index, bytes.count, by: pump)
            if moved >= limit { return .more }
        }
    }

    /// A write that fills the FIFO wakes nobody while it goes on, unless the FIFO was empty before. So where we leave an
    /// unfinished line in it, we ask for a signal: that is sent before the writer waits for room.
    private func announce(_ index: Int, _ isOn: Bool) {
        guard streams[index].isAnnounced != isOn else { return }
        let done = loop_fifo_announce(streams[index].output.readEnd, isOn ? 1 : 0) == 0
        streams[index].isAnnounced = isOn && done
    }

    /// Its writer's next steps are not ours to know.
    func letGo(_ index: Int) { announce(index, false) }

    /// Nothing more is written by this one.
    func endRefusals(by pump: some LogPumping) { refusals.end(instance, tell: pump.report) }

    /// Lines were dropped of which the log says nothing yet.
    var hasDrops: Bool { drops.lines > 0 }

    var hasUnfinishedLine: Bool { streams.contains(where: \.isAnnounced) }

    /// Flushes what follows the last newline only where that was all there is: else more of its line comes with the next
    /// look.
    private func moveSeen(
        _ bytes: UnsafeRawBufferPointer, _ index: Int, flushing: LogFormatter.Flush, by pump: some LogPumping
    ) throws(SystemError) -> Int? {
        let fifo = streams[index].output.readEnd
        guard flushing != .nothing, loop_bytes_readable(fifo) > Int32(bytes.count) else {
            return try move(bytes, index, flushing: flushing, by: pump)
        }
        let consumed = try move(bytes, index, flushing: .nothing, by: pump)
        // Not a line in all that one look holds: it goes on in pieces.
        return consumed == 0 ? try move(bytes, index, flushing: .partial, by: pump) : consumed
    }

    /// Writes as many lines as there are. Nil: the file can't take them.
    private func move(
        _ bytes: UnsafeRawBufferPointer, _ index: Int, flushing: LogFormatter.Flush, by pump: some LogPumping
    ) throws(SystemError) -> Int? {
        let fifo = streams[index].output.readEnd
        let stream = name(of: streams[index].output)
        let time = WallTime.now
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            var step = LogFormatter.Progress()
            do throws(SystemError) {
                step = format(rest, stream, time, flushing, try file.room(at: time), by: pump)
                if step.isFull, step.written == 0 {
                    file.makeRoom(at: time)
                    step = format(rest, stream, time, flushing, try file.room(at: time), by: pump)
                }
                if step.isFull, step.written == 0 {
                    step = format(rest, stream, time, flushing, .max, by: pump)
                }
                guard step.consumed > 0 else { return offset }
                try writeNotes(by: pump)
                try file.append(UnsafeRawBufferPointer(rebasing: pump.buffers.output[..<step.written]), at: time)
                blockedSince = nil
                refusals.accepted()
            } catch {
                refusals.refused(instance, error, tell: pump.report)
                guard isGivingUp() else { return nil }
                if step.consumed == 0 {
                    step = format(rest, stream, time, flushing, .max, by: pump)
                }
                guard step.consumed > 0 else { return offset }
                drops.add(step.lines)
                statistics.dropped += step.lines
                statistics.failure = error
            }
            match(UnsafeRawBufferPointer(rebasing: rest[..<step.consumed]), stream, by: pump)
            try pump.buffers.discard(fifo, step.consumed)
            offset += step.consumed
        }
        return offset
    }

    private func format(
        _ bytes: UnsafeRawBufferPointer, _ stream: LogStream, _ time: WallTime, _ flushing: LogFormatter.Flush,
        _ room: Int, by pump: some LogPumping
    ) -> LogFormatter.Progress {
        let output = pump.buffers.output
        return formatter.format(
            bytes, stream: stream, at: time, flushing: flushing,
            into: UnsafeMutableRawBufferPointer(rebasing: output[..<min(room, output.count)]))
    }

    /// True once the file has refused for as long as the sidecar may be made to wait.
    private func isGivingUp() -> Bool {
        let now = Instant.now
        guard let since = blockedSince else {
            blockedSince = now
            return spec.block <= .zero
        }
        return now - since >= spec.block
    }

    /// Nothing but an unfinished line: makes sure that its writer is not waiting for us, as we are for its newline.
    /// True: look again.
    private func unblock(
        _ index: Int, _ bytes: UnsafeRawBufferPointer, isStuck: Bool, by pump: some LogPumping
    ) throws(SystemError) -> Bool {
        announce(index, true)
        let stream = streams[index]
        if loop_bytes_readable(stream.output.readEnd) > Int32(bytes.count), !isStuck { return true }
        // Pages are shared by small writes, so that any two neighbours hold more than one page between them.
        let surelyNotFull = max(0, (stream.size / 4096 - 2) / 2) * 4096
        if bytes.count < surelyNotFull, !isStuck { return false }
        let grown = pump.fifos.grow(stream.output, to: 4 * LogFormatter.longestLine)
        if grown > stream.size, !isStuck {
            streams[index].size = grown
            return false
        }
        guard isStuck || loop_fifo_is_full(stream.output.path) != 0 else { return false }
        return try (move(bytes, index, flushing: .partial, by: pump) ?? 0) > 0
    }

    private func noteBusyness(_ index: Int, _ count: Int, by pump: some LogPumping) {
        let full = min(streams[index].size, LogBuffers.inputSize)
        guard count * 4 >= full * 3, streams[index].size < 1 << 20 else { return }
        streams[index].busyPeeks += 1
        guard streams[index].busyPeeks.isMultiple(of: 4) else { return }
        streams[index].size = pump.fifos.grow(streams[index].output, to: 1 << 20)
    }

    // MARK: Notes and patterns

    /// Tries; what can't be written now is written before the next line.
    func flushNotes(by pump: some LogPumping) {
        try? writeNotes(by: pump)
        refusals.settle(instance, tell: pump.report)
        file.makeRoomForOthers()
    }

    private func writeNotes(by pump: some LogPumping) throws(SystemError) {
        while let (time, text) = notes.first {
            try file.append(formatter.line(text, at: time), at: time)
            notes.removeFirst()
            refusals.accepted()
        }
        guard drops.lines > 0 else { return }
        let time = WallTime.now
        let lines = drops.lines == 1 ? "1 line was" : "\(drops.lines) lines were"
        let reason = statistics.failure?.message ?? "the log could not be written"
        try file.append(formatter.line("\(LogLine.noticeMark)\(lines) dropped here: \(reason)", at: time), at: time)
        refusals.accepted()
        pump.report(.dropped(instance, lines: drops.lines, reason: reason))
        drops.noted()
    }

    private func match(_ lines: UnsafeRawBufferPointer, _ stream: LogStream, by pump: some LogPumping) {
        guard !patterns.isEmpty else { return }
        let isMerged = spec.mergesStandardError || streams.count == 1
        LogLines.forEach(in: lines) { line in
            patterns.removeAll { pattern in
                guard pattern.accepts(stream, merged: isMerged), pattern.expression.matches(line) else {
                    return false
                }
                pump.report(.matched(token: pattern.token))
                return true
            }
            return !patterns.isEmpty
        }
    }

    /// One more process of this incarnation writes; the first one's start is that of all of them.
    func join(_ incarnation: Incarnation) {
        guard joined != incarnation else { return }
        joined = incarnation
        current = incarnation
        note(LogLine.startNote(incarnation.number), at: .now)
    }

    // MARK: After a crash

    /// What this incarnation wrote before we looked is looked at: a pattern may have matched while nobody could be told.
    /// What the one before it wrote is not: the start of this one is noted with its first line, and a supervisor that was
    /// killed before that took the note along.
    func takeUp(_ incarnation: Incarnation, isRunning: Bool, by pump: some LogPumping) throws(SystemError) {
        joined = incarnation
        current = incarnation
        // Many that say nothing now are taken up at once, and what they take is asked for before anybody is answered.
        defer { file.shut() }
        let tail = try file.tail(patterns.isEmpty ? LogBuffers.outputSize : 1 << 20)
        guard let written = LogLines.written(by: incarnation.number, isRunning: isRunning, in: tail) else {
            return note(LogLine.startNote(incarnation.number), at: .now)
        }
        try countRepeats(of: tail, by: pump)
        for line in written where !patterns.isEmpty {
            line.text.withUnsafeBytes { match($0, line.stream, by: pump) }
        }
    }

    /// A supervisor before us may have written lines it did not get to take out: they will be written again, and the
    /// log says how many at most.
    private func countRepeats(of tail: [UInt8], by pump: some LogPumping) throws(SystemError) {
        var repeats = 0
        for stream in streams {
            guard case .bytes(let waiting) = try pump.buffers.peek(stream.output.readEnd) else { continue }
            repeats += LogLines.overlap(of: tail, stream: name(of: stream.output), with: waiting)
        }
        guard repeats > 0 else { return }
        statistics.repeated += repeats
        note(
            "\(LogLine.noticeMark)the supervisor was replaced: the next \(repeats) \(repeats == 1 ? "line" : "lines") may repeat "
                + "the last ones",
            at: .now)
        // At once: the next line may rotate the file first, and whoever is killed then leaves nothing to compare with.
        flushNotes(by: pump)
        pump.report(.repeated(instance, lines: repeats))
    }
}

/// What a channel needs of the pump it belongs to.
protocol LogPumping {
    var buffers: LogBuffers { get }
    var fifos: LogFifos { get }
    /// Whether a command waits that may concern what the FIFOs hold.
    func isInterrupted(_ instance: LogInstance) -> Bool
    func report(_ event: LogEvent)
}
