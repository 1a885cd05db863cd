import ArgumentParser
import ControlAPI
import ControlClient
import Glibc
import Planning
import SidecarModel
import StateStore
import SupervisorDaemon

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how each sidecar does.",
        discussion: """
            Without a supervisor it shows what was last known, and exits with 5; with 1 while the supervisor is broken,
            which is when it ended 5 times within a minute.

            Examples:
              orchestrate status
              orchestrate status --json | jq '.sidecars[] | {name, state}'
              orchestrate status --exit-code && echo "all is well"
            """)

    @OptionGroup var project: ProjectOptions

    @Argument(help: "Only these sidecars.", completion: .wholeSidecars)
    var names: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Show it again whenever something changes, until Ctrl-C.")
    var watch = false

    @Flag(help: "Exit with 1 unless all that is wanted is healthy, and tasks are completed.")
    var exitCode = false

    func run() throws {
        let context = try ProjectContext(project)
        let terminal = Terminal(environment: context.environment)
        if watch { return try watchOver(context, terminal) }
        let running = try context.running()
        if running == nil, LivingSidecars.haveBrokenSupervisor(in: context.location) {
            show(try Self.broken(context, names: names), terminal)
            throw CommandFailure(.failed)
        }
        let mayCome = LivingSidecars.exist(in: context.location) || context.stoppedKeeper() != nil
        var report: ProjectReport
        do {
            guard let client = try running ?? (mayCome ? context.connect() : nil) else {
                try context.refuseElsewhere()
                throw CommandFailure(
                    .noSupervisor, "\(context.name) is not running; start it with 'orchestrate up\(context.selector)'")
            }
            report = try context.ask(client) { try $0.call(Status.self, .init(names: names, withUsage: true)) }
        } catch let failure as CommandFailure where failure.exitCode == ExitCode.noSupervisor.rawValue {
            // It may have gone down while it was asked.
            let report = try Self.lastKnown(context, names: names)
            if json || !report.sidecars.isEmpty { show(report, terminal) }
            throw failure
        }
        if let standstill = LivingSidecars.keeperStandstill(in: context.location) { report.warnings.append(standstill) }
        show(report, terminal)
        if exitCode, !Self.isWell(report) { throw CommandFailure(.failed) }
    }

    static func isWell(_ report: ProjectReport) -> Bool {
        report.sidecars.allSatisfy { !$0.isWanted || $0.isReady }
    }

    private func show(_ report: ProjectReport, _ terminal: Terminal) {
        if json {
            Console.print(WireFormat.json(report, pretty: true))
        } else {
            let lines = StatusTable.lines(report, now: .now, palette: terminal.palette)
            Console.print(lines.joined(separator: "\n"))
        }
    }

    /// Drawn again after each burst of changes, and once a second while something runs, for uptime, CPU and memory.
    private func watchOver(_ context: ProjectContext, _ terminal: Terminal) throws {
        let client = try context.connect()
        let signals = SignalWatch()
        try context.stay(with: client) { try watchOver($0, terminal, signals) }
        if !json { Console.print("the project is down") }
    }

    private func watchOver(_ client: ControlClient, _ terminal: Terminal, _ signals: SignalWatch) throws {
        let isLive = terminal.isInteractive && !json
        _ = try client.call(Subscribe.self, .init())
        while true {
            let report = try client.call(Status.self, .init(names: names, withUsage: true))
            if isLive {
                draw(report, terminal)
            } else if json {
                Console.print(WireFormat.json(report))
            } else {
                show(report, terminal)
            }
            let ready = Poll.waitForNews(
                on: [client.descriptor, signals.descriptor], timeout: isLive ? .seconds(1) : nil)
            if ready.contains(signals.descriptor), let signal = signals.next(), signal != SIGWINCH {
                throw CommandFailure(.interrupted)
            }
            // A burst is shown once.
            if ready.contains(client.descriptor) { poll(nil, 0, 50) }
            for case .event(let message) in try client.receive() {
                if case .finished = message.event { return }
            }
        }
    }

    /// Over what was there: what has scrolled away stays.
    private func draw(_ report: ProjectReport, _ terminal: Terminal) {
        var terminal = terminal
        terminal.measure()
        let lines = StatusTable.lines(report, now: .now, fitting: terminal)
        Console.write("\u{1b}[H\u{1b}[?7l" + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J\u{1b}[?7h")
    }

    private static func broken(_ context: ProjectContext, names: [String]) throws -> ProjectReport {
        var report = try lastKnown(context, names: names, phase: .supervisorBroken)
        report.warnings = [context.brokenSupervisor]
        return report
    }

    /// From the journal, when nobody supervises the project.
    static func lastKnown(
        _ context: ProjectContext, names: [String], phase: ProjectReport.Phase = .stopped
    ) throws -> ProjectReport {
        let store: StateStore
        do {
            store = try StateStore(reading: context.location.journalPath)
        } catch .absent {
            throw CommandFailure(
                .noSupervisor,
                "\(context.name) has not been up; start it with 'orchestrate up\(context.selector)'")
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        guard let row = try store.project() else {
            throw CommandFailure(.noSupervisor, "\(context.name) has not been up")
        }
        let declared = row.declaredSidecars
        let places = Dictionary(declared.enumerated().map { ($1.name, $0) }, uniquingKeysWith: min)
        // What was removed is not known to have been anything else.
        let kinds = Dictionary(declared.map { ($0.name, $0.kind) }) { first, _ in first }
        func place(_ row: InstanceRow) -> (Int, String, Int) {
            (places[row.sidecar] ?? .max, row.sidecar, row.replica)
        }
        let rows = try store.instances(withEnded: true).sorted { place($0) < place($1) }
        let replicas = rows.reduce(into: [String: Int]()) { $0[$1.sidecar, default: 0] += 1 }
        let sidecars = rows.map { instance in
            // What ended with its supervisor was not seen to its end by anybody.
            let wasLost = phase == .stopped && !instance.state.isFinal
            return InstanceReport(
                name: replicas[instance.sidecar] == 1 ? instance.sidecar : "\(instance.sidecar)/\(instance.replica)",
                sidecar: instance.sidecar, replica: instance.replica, kind: kinds[instance.sidecar] ?? .service,
                state: wasLost ? .stopped : instance.state, isWanted: instance.isWanted,
                incarnation: instance.incarnation, since: Timestamp(microseconds: instance.sinceWall),
                restartsTotal: instance.restartsTotal,
                consecutiveFailures: instance.consecutiveFailures, lastExit: instance.lastExit.map(ExitReport.init),
                reason: wasLost
                    ? "its supervision was lost while it was \(instance.state.rawValue)" : instance.reason)
        }
        return ProjectReport(
            project: row.name, identity: row.identity, directory: row.directory, manifest: row.manifest,
            stateDirectory: context.location.stateDirectory, phase: phase,
            sidecars: sidecars.filter { names.isEmpty || names.contains($0.name) || names.contains($0.sidecar) })
    }
}

extension StateName {
    /// It needs no supervisor to be so.
    var isFinal: Bool {
        switch self {
        case .stopped, .completed, .failed, .blocked: true
        case .waiting, .starting, .healthy, .unhealthy, .stopping, .backoff, .scheduled: false
        }
    }
}

extension Timestamp {
    /// The wall clock.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
