import ControlAPI
import ControlClient
import Glibc
import SidecarModel
import StateStore

/// An `up` from the hand-over of the manifest to its exit code.
final class UpSession {
    struct Options {
        var names: [String]
        var isDetached: Bool
        var waits: Bool
        var timeout: Duration?
        var refreshesEnvironment: Bool
        var exitCodeFrom: String?
    }

    private enum Phase {
        /// On the way to health.
        case settling
        /// It was healthy; staying with it.
        case attached
    }

    private let context: ProjectContext
    private let options: Options
    private let terminal: Terminal
    private let signals = SignalWatch()
    private let screen: UpScreen
    private var client: ControlClient
    private var view: ProjectView
    private var wanted: Set<String>
    private var health: GoalTracker
    private var completion: GoalTracker
    private var isHolder = false
    private var lease: (token: String, identity: ClientIdentity)?
    private var phase = Phase.settling
    private let started = Timestamp.now
    private let deadline: ContinuousClock.Instant?

    init(_ context: ProjectContext, options: Options) throws {
        self.context = context
        self.options = options
        terminal = Terminal(environment: context.environment)
        deadline = options.timeout.map { ContinuousClock.now + $0 }
        var attachment = Apply.Attachment.detached
        if !options.isDetached {
            let identity = try ClientIdentity.own()
            let token = Self.token()
            lease = (token, identity)
            attachment = .foreground(token: token, client: identity)
        }
        // A new project is empty: who hears every event from its beginning needs no list of what is there.
        var emptyProject: ProjectReport?
        let subscription = Self.subscription(terminal)
        let applying = Applying(
            context: context, names: options.names, refreshesEnvironment: options.refreshesEnvironment,
            attachment: attachment
        ) { client throws(ControlError) in
            emptyProject = try client.call(Subscribe.self, subscription).project
        }
        let (client, answer) = try applying.run()
        self.client = client
        isHolder = answer.isLeaseHolder
        let names = Set(answer.summary.wanted)
        wanted = names
        if let emptyProject, !answer.created.isEmpty {
            view = ProjectView(emptyProject, created: answer.created)
        } else {
            view = ProjectView(try client.call(Subscribe.self, subscription).project)
        }
        let instances = view.instances.filter { names.contains($0.sidecar) }
        health = GoalTracker(.healthy, instances)
        completion = GoalTracker(.completed, instances)
        screen = UpScreen(terminal: terminal, context: context, followsLogs: !options.isDetached, started: started)
        screen.show(answer.summary)
    }

    /// 128 bits nobody guesses.
    private static func token() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
    }

    // MARK: The loop

    func run() throws -> Int32 {
        guard options.waits else { return 0 }
        if !options.isDetached, !isHolder { screen.say("attached to a project that is up; Ctrl-C leaves it running") }
        while true {
            if let code = try verdict() { return code }
            let descriptors = [client.descriptor, signals.descriptor] + screen.descriptors
            let ready = client.hasArrived ? [] : Poll.wait(for: descriptors, timeout: patience)
            // Events first: whether Ctrl-C ends the project may have changed before it was pressed.
            if ready.contains(client.descriptor) || client.hasArrived, let code = try takeEvents() { return code }
            if ready.contains(signals.descriptor), let code = try takeSignals() { return code }
            screen.followLogs()
        }
    }

    /// Until the deadline, or the next frame of the tree.
    private var patience: Duration? {
        guard phase == .settling else { return nil }
        let rest = deadline.map { max(.zero, $0 - .now) }
        guard terminal.isInteractive else { return rest }
        return min(rest ?? .milliseconds(100), .milliseconds(100))
    }

    /// On a terminal everything is shown; elsewhere only where things got to.
    private static func subscription(_ terminal: Terminal) -> Subscribe.Parameters {
        terminal.isInteractive
            ? Subscribe.Parameters(withReports: true)
            : Subscribe.Parameters(states: StateName.allCases.filter(EventLine.isWorthALine))
    }

    private func observe(_ report: ProjectReport) {
        view = ProjectView(report)
        let instances = view.instances.filter { wanted.contains($0.sidecar) }
        health = GoalTracker(.healthy, instances)
        completion = GoalTracker(.completed, instances)
    }

    private func observe(_ transition: TransitionEvent, at: Timestamp) {
        view.apply(transition, at: at)
        guard let instance = view[transition.instance], wanted.contains(instance.sidecar) else { return }
        health.update(instance)
        completion.update(instance)
    }

    /// The exit code, once it is known.
    private func verdict() throws -> Int32? {
        switch phase {
        case .settling:
            switch health.progress {
            case .reached:
                screen.settled(view, count: health.count)
                if options.isDetached { return 0 }
                phase = .attached
                return try verdict()
            case .failed(let names): return try fail(names)
            case .underWay:
                if let deadline, deadline <= .now { return try giveUp() }
                screen.draw(view, title: "starting")
                return try codeOfTheOneThatDecides()
            }
        case .attached:
            if let code = try codeOfTheOneThatDecides() { return code }
            // Tasks only, and all of them done: there is nothing to stay with.
            let isOver = completion.count > 0 && completion.progress == .reached
            return isOver && isHolder ? try takeDown(presses: 0, code: 0) : nil
        }
    }

    // MARK: Ends

    private func fail(_ names: [String]) throws -> Int32 {
        let report = try client.call(Status.self, .init())
        let failed = report.sidecars.filter { names.contains($0.name) }
        screen.clear()
        let text = FailureReport(
            failed: failed, all: report.sidecars, lastLines: LogAccess.lastLines(of: failed, in: context),
            selector: context.selector)
        Console.printError(text.lines(terminal.palette).joined(separator: "\n"))
        if let name = options.exitCodeFrom, let code = exitCode(of: name, in: report) {
            return try takeDown(presses: 0, code: code)
        }
        try release()
        return ExitCode.failed.rawValue
    }

    private func giveUp() throws -> Int32 {
        screen.clear()
        let instances = try client.call(Status.self, .init()).sidecars.filter { wanted.contains($0.sidecar) }
        let late = instances.filter { Goal.healthy.progress(of: [$0]) != .reached }
        let now = Timestamp.now
        let lines = late.map { instance in
            "  \(instance.name): \(instance.state.rawValue)  \(StateText.detail(of: instance, now: now))".terminalSafe
        }
        Console.printError((["not healthy in time:"] + lines).joined(separator: "\n"))
        try release()
        return ExitCode.timeout.rawValue
    }

    /// What was started stays: the project no longer ends with this command.
    private func release() throws {
        guard isHolder, let lease else { return }
        _ = try client.call(
            Lease.self, .init(action: .release, token: lease.token, client: lease.identity))
        isHolder = false
        Console.printError("what runs stays up; 'orchestrate down\(context.selector)' ends it")
    }

    /// `--exit-code-from`: its end is the project's.
    private func codeOfTheOneThatDecides() throws -> Int32? {
        guard let name = options.exitCodeFrom else { return nil }
        let named = view.instances(named: name)
        guard !named.isEmpty else { throw CommandFailure(.unknownSidecar, GoalSession.unknown(name, among: view)) }
        guard named.allSatisfy({ $0.state == .completed || $0.state == .failed }) else { return nil }
        let report = try client.call(Status.self, .init())
        return try takeDown(presses: 0, code: exitCode(of: name, in: report) ?? 0)
    }

    private func exitCode(of name: String, in report: ProjectReport) -> Int32? {
        ProjectView(report).instances(named: name).compactMap { $0.lastExit?.shellCode }.max()
    }

    private func takeDown(presses: Int, code: Int32) throws -> Int32 {
        screen.clear()
        let down = try DownSession(
            context: context, client: client, terminal: terminal, signals: signals, presses: presses
        )
        .run()
        return down == 0 ? code : down
    }

    // MARK: Signals and events

    private func takeSignals() throws -> Int32? {
        while let signal = signals.next() {
            guard signal != SIGWINCH else { continue }
            let interrupted = ExitCode.interrupted.rawValue
            screen.clear()
            if options.isDetached {
                Console.printError("interrupted; the project goes on: orchestrate status\(context.selector)")
                return interrupted
            }
            guard try stillHoldsLease() else {
                Console.printError("detached; the project goes on")
                return interrupted
            }
            Console.printError("stopping in order; Ctrl-C again skips the grace periods")
            return try takeDown(presses: 1, code: interrupted)
        }
        return nil
    }

    private func stillHoldsLease() throws -> Bool {
        guard isHolder, let lease else { return false }
        return try client.call(
            Lease.self, .init(action: .renew, token: lease.token, client: lease.identity)
        ).isHolder
    }

    private func takeEvents() throws -> Int32? {
        guard let arrived = try arrivals() else { return try reconnect() }
        for incoming in arrived {
            if case .event(let message) = incoming, let code = try take(message) { return code }
        }
        screen.flush()
        return nil
    }

    /// Nil when the connection is over.
    private func arrivals() throws -> [ControlClient.Incoming]? {
        do {
            return try client.receive()
        } catch {
            guard error.code == .noSupervisor else { throw error }
            return nil
        }
    }

    /// The exit code, when the event ends this command.
    private func take(_ message: EventMessage) throws -> Int32? {
        switch message.event {
        case .transition(let transition):
            observe(transition, at: message.at)
            screen.show(transition, isSettling: phase == .settling)
            // Somebody stopped it: whether it is still wanted, only a snapshot says.
            if transition.to == .stopped, transition.initiator == .user { try look() }
        case .missed: try look()
        case .finished(let code, let survivors): return finished(code, survivors)
        case .leaseEnded(let reason): loseLease(reason)
        case .warning(let text): screen.say("warning: \(text)")
        case .portChanged(let instance, let port, let from, let to):
            screen.say("\(instance): port \(port) moved from \(from) to \(to)")
        case .applied, .leaseTaken: break
        }
        return nil
    }

    private func finished(_ code: Int32, _ survivors: [SurvivorReport]) -> Int32 {
        screen.say("the project is down")
        ProjectEnd(view.project).wait()
        guard !survivors.isEmpty else { return code }
        Console.printError(DownSession.sentence(on: survivors))
        return ExitCode.failed.rawValue
    }

    private func loseLease(_ reason: String) {
        guard isHolder else { return }
        isHolder = false
        screen.say("the project no longer ends with this command: \(reason)")
    }

    private func look() throws { observe(try client.call(Status.self, .init())) }

    /// The supervisor was lost: its keeper starts it again, and the lease goes on where it was.
    private func reconnect() throws -> Int32? {
        let wasHolder = isHolder
        for _ in 0..<50 {
            if Guard.awaitEnd(of: context.location), !LivingSidecars.exist(in: context.location) { break }
            guard LivingSidecars.exist(in: context.location) || access(context.location.socketPath, F_OK) == 0 else {
                break
            }
            do {
                client = try context.connectOrStart().client
                isHolder = try stillHoldsLease()
                observe(try client.call(Subscribe.self, Self.subscription(terminal)).project)
                guard wasHolder, !isHolder, view.instances.allSatisfy({ !$0.isWanted }) else { return nil }
                // Keeper, supervisor and guard were lost: what they left is ended, and the project is over.
                return try takeDown(presses: 0, code: ExitCode.noSupervisor.rawValue)
            } catch let error as ControlError where error.code == .noSupervisor {
                poll(nil, 0, 50)
            }
        }
        screen.clear()
        Console.printError("the supervision of the project was lost, and nothing of it is left")
        return ExitCode.noSupervisor.rawValue
    }
}
