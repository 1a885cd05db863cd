import ArgumentParser
import ControlAPI
import Glibc
import StateStore
import Supervision

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show what sidecars wrote, merged in order of time.",
        discussion: """
            Works without a supervisor, and after the project is down.

            Examples:
              orchestrate logs
              orchestrate logs web db -f -n 20
              orchestrate logs web --since 10m --grep 'error|fatal'
              orchestrate logs web --previous
            """)

    @OptionGroup var project: FollowingProjectOptions

    @Argument(help: "Sidecars, or instances such as mcp/0. Default: all.", completion: .sidecars)
    var names: [String] = []

    @Flag(name: .shortAndLong, help: "Follow, until Ctrl-C.")
    var follow = false

    @Option(name: [.customShort("n", allowingJoined: true), .long], help: "Only the last so many lines of each.")
    var lines: Int?

    @Option(help: ArgumentHelp("Only what is newer: 10m, or 2026-11-23T10:00:00Z.", valueName: "time"))
    var since: MomentArgument?

    @Option(help: ArgumentHelp("Only what is older: 10m, or 2026-11-23T10:00:00Z.", valueName: "time"))
    var until: MomentArgument?

    @Option(help: ArgumentHelp("Only lines that match this extended regular expression.", valueName: "pattern"))
    var grep: String?

    @Flag(help: "Only the life before the present one.")
    var previous = false

    @Flag(name: .shortAndLong, help: "With the time of each line.")
    var timestamps = false

    @Flag(help: "Print a JSON object per line.")
    var json = false

    func validate() throws {
        if let lines, lines < 0 { throw ValidationError("-n takes a number of lines, 0 or more.") }
        if follow && (until != nil || previous) {
            throw ValidationError("-f goes with neither --until nor --previous.")
        }
    }

    private struct Line: Encodable {
        var time: String
        var instance: String
        var stream: String
        /// A piece of a line that was too long: the next one of its stream goes on with it.
        var partial: Bool
        var text: String
    }

    func run() throws {
        let context = try ProjectContext(project.projectOptions)
        let access = LogAccess(context)
        let hasBeenUp = ProjectContext.hasBeenUp(context.location)
        let isKnown = hasBeenUp || access.sources.contains(where: \.isWritten)
        if !isKnown { try context.refuseReadingElsewhere() }
        let sources = try selected(from: access, context)
        // Whoever follows waits for the first line, also of a project that is yet to come.
        let mayCome = follow && context.manifest.map { Glibc.access($0, R_OK) == 0 } ?? false
        guard mayCome || hasBeenUp || sources.contains(where: \.isWritten) else {
            throw CommandFailure(.noSupervisor, "\(context.name) has not been up: there are no logs")
        }
        let reader: LogReader
        do {
            reader = try LogReader(sources, query: try query())
        } catch let error as SystemError {
            throw CommandFailure(.failed, "cannot read the logs: \(error)")
        }
        let shown = access.names.filter { entry in sources.contains { $0.instance == entry.key } }
        let text = LogText(
            names: shown, palette: Terminal(environment: context.environment).palette, showsTime: timestamps)
        while true {
            if show(reader, text, shown) { continue }
            guard follow else { return }
            _ = Poll.waitForNews(on: [reader.descriptor])
        }
    }

    /// Answers whether there is more. One that is written all the time does not keep the others waiting.
    private func show(_ reader: LogReader, _ text: LogText, _ names: [LogInstance: String]) -> Bool {
        var output = ""
        let hasMore = reader.read(atMost: 10_000) { entry in
            output += json ? jsonLine(entry, names) : text.line(entry)
            output += "\n"
            if output.utf8.count > 1 << 16 {
                Console.write(output)
                output = ""
            }
        }
        if !output.isEmpty { Console.write(output) }
        return hasMore
    }

    private func selected(from access: LogAccess, _ context: ProjectContext) throws -> [LogSource] {
        guard !names.isEmpty else { return access.sources }
        var selected: [LogSource] = []
        for name in names {
            let found = access.sources(named: name)
            guard !found.isEmpty else { throw context.unknownSidecar(name, among: access.sidecars) }
            for source in found where !selected.contains(source) { selected.append(source) }
        }
        return selected
    }

    private func query() throws -> LogQuery {
        var expression: RegularExpression?
        if let grep {
            do {
                expression = try RegularExpression(grep)
            } catch {
                throw CommandFailure(.usage, "--grep '\(grep)' is no regular expression: \(error.reason)")
            }
        }
        let now = Timestamp.now
        return LogQuery(
            last: lines, since: since.map { WallTime(microseconds: $0.moment(before: now).microseconds) },
            until: until.map { WallTime(microseconds: $0.moment(before: now).microseconds) }, pattern: expression,
            previous: previous, follows: follow)
    }

    private func jsonLine(_ entry: LogEntry, _ names: [LogInstance: String]) -> String {
        WireFormat.json(
            Line(
                time: entry.time.description, instance: names[entry.instance] ?? "\(entry.instance)",
                stream: entry.line.stream.rawValue, partial: entry.line.isPartial, text: entry.line.string))
    }
}

/// A point in time on the command line: how long ago, or RFC 3339.
struct MomentArgument: ExpressibleByArgument {
    private enum Moment {
        case ago(Duration)
        case at(Timestamp)
    }

    private var moment: Moment

    init?(argument: String) {
        if let duration = DurationArgument(argument: argument) {
            moment = .ago(duration.value)
        } else if let time = Timestamp(argument) {
            moment = .at(time)
        } else {
            return nil
        }
    }

    func moment(before now: Timestamp) -> Timestamp {
        switch moment {
        case .ago(let duration):
            let (seconds, attoseconds) = duration.components
            return Timestamp(
                microseconds: now.microseconds - seconds * 1_000_000 - attoseconds / 1_000_000_000_000)
        case .at(let time): return time
        }
    }
}
