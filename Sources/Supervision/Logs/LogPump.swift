import CProcess
import Glibc
package import SidecarModel
import Synchronization

/// A pattern to be told of once, when a line of this incarnation matches.
package struct LogPattern: Sendable {
    /// Comes back in `LogEvent.matched`.
    package var token: UInt64
    package var expression: RegularExpression
    package var stream: Probe.LogStream

    package init(token: UInt64, expression: RegularExpression, stream: Probe.LogStream) {
        self.token = token
        self.expression = expression
        self.stream = stream
    }

    /// Merged outputs have one name, so either name means both.
    func accepts(_ line: LogStream, merged: Bool) -> Bool {
        switch stream {
        case .any: line != .system
        case .stdout: line == .stdout
        case .stderr: line == .stderr || merged && line == .stdout
        }
    }
}

package enum LogEvent: Sendable {
    case matched(token: UInt64)
    /// Answers `LogPump.drain`.
    case drained(token: UInt64)
    /// Answers `LogPump.hold`.
    case held(token: UInt64)
    /// The log can't be written; the instance waits, for `logs.block` at most.
    /// - isNews: false where that was so a few seconds ago already.
    case refused(LogInstance, reason: String, isNews: Bool)
    /// It can be written again.
    case accepted(LogInstance)
    /// Whole lines that could not be written for `logs.block`. Told when writing works again.
    case dropped(LogInstance, lines: Int, reason: String)
    /// Lines that may stand twice in the log after a crash of the supervisor.
    case repeated(LogInstance, lines: Int)
    /// This instance's output is not read any more.
    case failed(LogInstance, SystemError)
}

struct LogStatistics: Hashable, Sendable {
    /// Lines lost to a full or failing disk since this supervisor started.
    var dropped = 0
    var repeated = 0
    /// Why lines were dropped last.
    var failure: SystemError?
}

/// What a sidecar is given for its outputs. The caller closes both after the spawn; they are one descriptor when stderr
/// is merged into stdout.
package struct LogEnds: Sendable {
    package var standardOutput: Int32
    package var standardError: Int32
    /// The FIFOs' read ends, when nobody was told of them before: to be passed to whoever keeps them while no supervisor lives.
    /// They stay ours.
    package var newReadEnds: [Int32]

    package func close() {
        Glibc.close(standardOutput)
        if standardError != standardOutput { Glibc.close(standardError) }
    }
}

/// Carries the sidecars' output to their log files, on threads of its own. No line ever passes through the loop.
///
/// Every function may be called from any thread. Only `open` may wait for the disk, when an earlier life left something
/// in the FIFOs, and `stop`.
package final class LogPump: Sendable {
    enum Command: Sendable {
        case open(Opening)
        case note(LogInstance, String, WallTime, startsLog: Bool)
        case withdrawStart(LogInstance, Incarnation, reason: String, WallTime)
        case configure(LogInstance, LogSpec, directory: String)
        case unwatch(LogInstance, token: UInt64)
        case drain(LogInstance, token: UInt64)
        case hold(LogInstance, token: UInt64)
        case resume(LogInstance)
        case retire(LogInstance)
        case stop
    }

    struct Opening: Sendable {
        enum Reason: Sendable {
            /// A process is about to be started.
            /// - moved: posted when what an earlier incarnation left in the FIFOs is written. Nil: it left nothing.
            case starts(Incarnation, moved: Acknowledgement?)
            /// It was started before this supervisor was, and may be over.
            case began(Incarnation, isRunning: Bool)
            /// One more process writes: one of many of that incarnation, or somebody who speaks in the log.
            case joins(Incarnation?)
        }

        var instance: LogInstance
        var reason: Reason
        var spec: LogSpec
        var directory: String
        var outputs: [LogFifos.Output]
        var patterns: [LogPattern]
    }

    private let logDirectory: String
    let fifos: LogFifos
    private let hands: [Hand]

    /// A thread, for the instances that are its own.
    private struct Hand: Sendable {
        let commands: Mailbox<Command>
        let openings: PendingOpenings
        let thread: WorkerThread

        init(
            fifos: LogFifos, compressor: LogCompressor, events: @escaping @Sendable (LogEvent) -> Void
        ) throws(SystemError) {
            // Made here so that failing is an error, then used by the thread alone.
            nonisolated(unsafe) let worker = try LogPumpWorker(
                fifos: fifos, compressor: compressor, events: events)
            commands = worker.commands
            openings = worker.openings
            thread = try WorkerThread(name: "log pump") { worker.run() }
        }
    }

    /// One thread moves less than what several sidecars can write; with two processors there is no use for a third.
    private static let mostHands = 2

    /// Keeps FIFOs in `fifo` and logs in `logs` under the state directory. Events are delivered on the pump's threads,
    /// and the sink returns at once.
    package init(
        stateDirectory: String, events: @escaping @Sendable (LogEvent) -> Void
    ) throws(SystemError) {
        logDirectory = stateDirectory + "/logs"
        try Directory.create(logDirectory)
        fifos = try LogFifos(stateDirectory: stateDirectory)
        let compressor = LogCompressor()
        var hands = [try Hand(fifos: fifos, compressor: compressor, events: events)]
        // One alone does it too.
        while hands.count < min(Self.mostHands, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            let hand = try? Hand(fifos: fifos, compressor: compressor, events: events)
        {
            hands.append(hand)
        }
        self.hands = hands
    }

    /// Always the same for an instance. Those whose names differ by one in one digit have different ones.
    private func hand(for instance: LogInstance) -> Hand {
        hands[instance.sidecar.utf8.reduce(instance.replica) { $0 + Int($1) } % hands.count]
    }

    private func tell(_ instance: LogInstance, _ command: Command, rings: Bool = true) {
        hand(for: instance).commands.send(command, rings: rings)
    }

    /// Before a start: makes or finds the FIFOs and notes that a new incarnation begins. What it is told comes after
    /// all that was written before, and its patterns see every line the new one writes.
    ///
    /// - Parameter wakes: false leaves that to `wake`, as long as nothing of an earlier life waits.
    package func open(
        _ instance: LogInstance, incarnation: Incarnation, spec: LogSpec, patterns: [LogPattern] = [],
        wakes: Bool = true
    ) throws(SystemError) -> LogEnds {
        try check(spec)
        try fifos.checkRoom(for: instance)
        let outputs = try fifos.outputs(of: instance, merged: spec.mergesStandardError)
        let standardOutput = try fifos.openSidecarEnd(outputs[0])
        var standardError = standardOutput
        if !spec.mergesStandardError, outputs.count > 1 {
            do throws(SystemError) {
                standardError = try fifos.openSidecarEnd(outputs[1])
            } catch {
                Glibc.close(standardOutput)
                throw error
            }
        }
        // All that waits now is from before; once the sidecar runs, that can't be told any more.
        let leftovers = outputs.contains { loop_bytes_readable($0.readEnd) > 0 }
        let moved = leftovers ? try? Acknowledgement() : nil
        if moved == nil { hand(for: instance).openings.add(instance) }
        send(instance, .starts(incarnation, moved: moved), spec, outputs, patterns, wakes: wakes || moved != nil)
        moved?.wait()
        return LogEnds(
            standardOutput: standardOutput, standardError: standardError,
            newReadEnds: newReadEnds(of: instance))
    }

    /// After an `open` that did not.
    package func wake() { for hand in hands { hand.commands.ring() } }

    /// For an `open` to come: makes the FIFOs. What fails fails there again, and is said there.
    package func prepare(_ instance: LogInstance, spec: LogSpec) {
        do throws(SystemError) {
            try fifos.checkRoom(for: instance)
            _ = try fifos.outputs(of: instance, merged: spec.mergesStandardError)
        } catch {}
    }

    /// As `LogEnds.newReadEnds`, when the FIFOs were prepared.
    package func newReadEnds(of instance: LogInstance) -> [Int32] { fifos.handOutReadEnds(of: instance) }

    /// Where the user says the logs go may be a place that can't be written: better said at the start than by silence.
    private func check(_ spec: LogSpec) throws(SystemError) {
        guard let directory = spec.directory else { return }
        try Directory.create(directory)
        var facts = stat()
        guard stat(directory, &facts) != 0 || facts.st_mode & S_IFMT == S_IFDIR else {
            throw SystemError(call: "write in \(directory)", errno: ENOTDIR)
        }
        guard access(directory, W_OK | X_OK) == 0 else { throw .last("write in \(directory)") }
    }

    /// An end of the sidecar's once more, for a process that serves it and speaks in its log.
    ///
    /// - Parameter incarnation: of an instance whose processes all join; the first line of it notes that it has begun.
    package func join(
        _ instance: LogInstance, of incarnation: Incarnation? = nil, spec: LogSpec, as stream: LogStream = .stdout
    ) throws(SystemError) -> LogEnds {
        let outputs = try fifos.presentOutputs(of: instance, merged: spec.mergesStandardError)
        let standardOutput = try fifos.openSidecarEnd(outputs.first { $0.stream == stream } ?? outputs[0])
        // Before the first start nobody reads it yet.
        send(instance, .joins(incarnation), spec, outputs, [])
        return LogEnds(
            standardOutput: standardOutput, standardError: standardOutput,
            newReadEnds: newReadEnds(of: instance))
    }

    /// After a restart of the supervisor: goes on with the output of an instance. Patterns are also looked for in
    /// what it has written so far. Answers the read ends, which stay ours.
    package func adopt(
        _ instance: LogInstance, incarnation: Incarnation, isRunning: Bool = true, spec: LogSpec,
        patterns: [LogPattern] = []
    ) throws(SystemError) -> [Int32] {
        if !isRunning { try fifos.checkRoom(for: instance) }
        let outputs = try fifos.presentOutputs(of: instance, merged: spec.mergesStandardError)
        _ = newReadEnds(of: instance)
        send(instance, .began(incarnation, isRunning: isRunning), spec, outputs, patterns)
        return outputs.map(\.readEnd)
    }

    /// Those that are open. They stay ours.
    package func readEnds(of instance: LogInstance) -> [Int32] { fifos.readEnds(of: instance) }

    private func send(
        _ instance: LogInstance, _ reason: Opening.Reason, _ spec: LogSpec, _ outputs: [LogFifos.Output],
        _ patterns: [LogPattern], wakes: Bool = true
    ) {
        let opening = Opening(
            instance: instance, reason: reason, spec: spec, directory: spec.directory ?? logDirectory, outputs: outputs,
            patterns: patterns)
        tell(instance, .open(opening), rings: wakes)
    }

    /// A line of the supervisor's own (`exit 1`), placed after what was written before.
    /// - Parameter startsLog: false notes nothing where nothing was ever written: no file comes of it.
    package func note(_ instance: LogInstance, _ text: String, startsLog: Bool = true) {
        tell(instance, .note(instance, text, .now, startsLog: startsLog))
    }

    /// The same, for everyone who reads the log and not only for those who ask for such lines.
    package func notice(_ instance: LogInstance, _ text: String) { note(instance, LogLine.noticeMark + text) }

    /// Nothing was started, whether or not it came to an `open`.
    package func withdrawStart(_ instance: LogInstance, _ incarnation: Incarnation, because reason: String) {
        tell(instance, .withdrawStart(instance, incarnation, reason: reason, .now))
    }

    /// Takes over what changed without a restart. Lines go on in the file of the new directory; what stands in the old
    /// one stays there. Outputs that a process has as two are merged by their name alone until its next start, and those
    /// it has as one stay one until then.
    package func configure(_ instance: LogInstance, spec: LogSpec) {
        tell(instance, .configure(instance, spec, directory: spec.directory ?? logDirectory))
    }

    /// Its pattern is not looked for any more.
    package func unwatch(_ instance: LogInstance, token: UInt64) { tell(instance, .unwatch(instance, token: token)) }

    /// Answers `LogEvent.drained` when all that was in the FIFOs is in the file, an unfinished last line included where
    /// nobody is left to finish it; or when the file refuses. For an instance that was never opened too.
    package func drain(_ instance: LogInstance, token: UInt64) { tell(instance, .drain(instance, token: token)) }

    /// Leaves its standard output to somebody else, until `resume`. What is in the FIFO now is written first, but for an
    /// unfinished line; then comes `LogEvent.held`. For an instance that is opened later too.
    package func hold(_ instance: LogInstance, token: UInt64) { tell(instance, .hold(instance, token: token)) }

    /// Reads it again, from what was left in the FIFO on.
    package func resume(_ instance: LogInstance) { tell(instance, .resume(instance)) }

    /// The instance is no longer declared: writes what is left, closes, and removes the FIFOs. Its files stay.
    package func retire(_ instance: LogInstance) { tell(instance, .retire(instance)) }

    /// Writes what there is and ends the threads; an unfinished line of one that lives on stays in its FIFO. Nothing is
    /// sent to the pump after it.
    package func stop() {
        for hand in hands { hand.commands.send(.stop) }
        for hand in hands { hand.thread.join() }
    }

    /// After `stop`, when nothing that could write lives: the FIFOs go. The logs stay.
    package func discardFifos() { fifos.discard() }
}
