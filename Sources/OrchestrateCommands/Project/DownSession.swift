import ControlAPI
import ControlClient
import Glibc
import SidecarModel
import StateStore

/// A `down` under way: tells who leaves, passes haste on, and ends when nothing is left.
final class DownSession {
    private let context: ProjectContext
    private var client: ControlClient
    private let signals: SignalWatch
    private let palette: Palette
    private let releasesPorts: Bool
    private let noted: Set<String>
    /// How the instances ended that were to be noted.
    private(set) var exits: [String: ExitReport] = [:]
    private var presses = 0
    private var keeper: KeeperWatch
    private var pendingText = ""

    /// - Parameters:
    ///   - presses: how often Ctrl-C was pressed already.
    ///   - noting: instances whose exits are of interest.
    init(
        context: ProjectContext, client: ControlClient, terminal: Terminal, signals: SignalWatch? = nil,
        presses: Int = 0, releasesPorts: Bool = false, noting: Set<String> = []
    ) {
        noted = noting
        self.releasesPorts = releasesPorts
        self.context = context
        self.client = client
        keeper = KeeperWatch(of: context.location)
        self.signals = signals ?? SignalWatch()
        self.presses = presses
        palette = terminal.palette
    }

    /// Runs it to its end, and answers what to exit with: 1 when something could not be ended.
    ///
    /// A supervisor that dies on the way is started again, and asked again: what it began goes on.
    func run() throws -> Int32 {
        try context.outlivingLosses(runOnce) {
            // Nil: it went because all is down.
            guard let again = try context.reconnected() else { return 0 }
            client = again.client
            return nil
        }
    }

    private func runOnce() throws -> Int32 {
        let ends = StateName.allCases.filter { $0 != .waiting && $0 != .starting && $0 != .stopping }
        let subscription = Subscribe.Parameters(
            withReports: !noted.isEmpty, states: ends, withSidecars: !noted.isEmpty)
        let project = try client.call(Subscribe.self, subscription).project
        for instance in project.sidecars where ends.contains(instance.state) { note(instance) }
        let end = ProjectEnd(project)
        let request = try client.send(Down.self, .init(releasesPorts: releasesPorts))
        while true {
            let ready = Poll.wait(for: [client.descriptor, signals.descriptor], timeout: .seconds(3))
            if ready.isEmpty { try sayWhoIsLate() }
            if let standstill = keeper.look() { Console.printError(standstill) }
            if ready.contains(signals.descriptor) { try takeSignals() }
            guard ready.contains(client.descriptor) || client.hasArrived else { continue }
            defer { flush() }
            for incoming in try client.receive() {
                switch incoming {
                case .event(let message): show(message.event)
                case .reply(request, let line):
                    let answer = try ControlClient.answer(line, of: Down.self)
                    if answer.survivors.isEmpty { end.wait() }
                    return finish(answer)
                case .reply(_, let line): _ = try ControlClient.answer(line, of: HurryUp.self)
                }
            }
        }
    }

    private func takeSignals() throws {
        while let signal = signals.next() {
            guard signal != SIGWINCH else { continue }
            presses += 1
            if presses == 1 {
                Console.printError("stopping in order; Ctrl-C again skips the grace periods")
                continue
            }
            let pace: HurryUp.Pace = presses == 2 ? .noGrace : .killNow
            Console.printError(
                pace == .noGrace ? "no more grace; Ctrl-C again kills what is left" : "killing what is left")
            try client.send(HurryUp.self, .init(pace: pace))
        }
    }

    /// The lines of a burst are written at once.
    private func flush() {
        Console.write(pendingText)
        pendingText = ""
    }

    private func show(_ event: ControlEvent) {
        switch event {
        case .transition(let transition):
            if let report = transition.report { note(report) }
            guard transition.from == .stopping else { return }
            pendingText += EventLine.text(transition, palette: palette) + "\n"
        case .warning(let message): Console.printError("warning: \(message.terminalSafe)")
        case .portChanged, .applied, .leaseTaken, .leaseEnded, .finished, .missed: break
        }
    }

    private func note(_ instance: InstanceReport) {
        guard noted.contains(instance.name), let exit = instance.lastExit else { return }
        switch instance.state {
        case .stopped, .completed, .failed, .backoff: exits[instance.name] = exit
        case .waiting, .starting, .healthy, .unhealthy, .stopping, .blocked, .scheduled: break
        }
    }

    /// Nobody left for a while: whom it waits for, and why.
    private func sayWhoIsLate() throws {
        let now = Timestamp.now
        let late = try client.call(Status.self, .init()).sidecars.filter { $0.state == .stopping }
        if late.isEmpty {
            Console.print("still waiting for hooks of what has stopped, each for its timeout at most")
        }
        for instance in late {
            let detail = StateText.detail(of: instance, now: now)
            Console.print("still stopping: \(instance.name)\(detail.isEmpty ? "" : ": \(detail)")".terminalSafe)
        }
    }

    private func finish(_ answer: Down.Answer) -> Int32 {
        guard !answer.survivors.isEmpty else { return 0 }
        Console.printError(Self.sentence(on: answer.survivors))
        return ExitCode.failed.rawValue
    }

    static func sentence(on survivors: [SurvivorReport]) -> String {
        (["these could not be ended, not even by SIGKILL:"]
            + survivors.map { survivor in
                let wait = survivor.waitChannel.isEmpty ? "" : " in \(survivor.waitChannel)"
                return "  \(survivor.instance): pid \(survivor.pid), state \(survivor.state)\(wait)".terminalSafe
            }).joined(separator: "\n")
    }
}
