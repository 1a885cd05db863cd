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
        var binding: Binding
        var waits: Bool
        var refreshesEnvironment: Bool
        var exitCodeFrom: String?
    }

    private enum Phase {
        /// On the way to health.
        case settling
        /// It was healthy; staying with it.
        case attached
    }

    let context: ProjectContext
    let options: Options
    let terminal: Terminal
    let signals = SignalWatch()
    let ready: ReadyChannel?
    let screen: UpScreen
    var client: ControlClient
    private(set) var view: ProjectView
    var wanted: Set<String>
    private var health: GoalTracker
    private var completion: GoalTracker
    var isHolder = false
    var lease: (token: String, identity: ClientIdentity)?
    private var isInterrupted = false
    /// Events told of what only a snapshot shows. To be asked for once all that arrived is taken in: the last of them
    /// may be that nobody is left to ask.
    private var mustLook = false
    private var phase = Phase.settling
    private var keeper: KeeperWatch
    private let started = Timestamp.now

    init(_ context: ProjectContext, options: Options, ready: ReadyChannel? = nil) throws {
        self.context = context
        self.options = options
        self.ready = ready
        keeper = KeeperWatch(of: context.location)
        terminal = Terminal(environment: context.environment)
        let token = Self.token()
        let (attachment, holder) = try options.binding.attachment(isDetached: options.isDetached, token: token)
        lease = holder.map { (token, $0) }
        if case .input = options.binding { InputLease.interruptOutput() }
        let subscription = Self.subscription(terminal)
        let applying = Applying(
            context: context, names: options.names, refreshesEnvironment: options.refreshesEnvironment,
            attachment: attachment, awaited: options.exitCodeFrom, subscription: subscription)
        let outcome = try applying.run()
        let names = Set(outcome.answer.summary.wanted)
        isHolder = outcome.answer.isLeaseHolder
        wanted = names
        if let known = outcome.view {
            (client, view) = (outcome.client, known)
        } else {
            guard let (found, project) = try context.resubscribed(subscription) else {
                // Between its answer and our question.
                guard !context.wasTakenDown else { throw CommandFailure(.conflict, ProjectContext.takenDown) }
                throw CommandFailure(.noSupervisor, Self.nothingLeft)
            }
            (client, view) = (found.client, ProjectView(project))
        }
        let instances = view.instances.filter { Self.counts($0, of: names) }
        health = GoalTracker(.healthy, instances)
        completion = GoalTracker(.completed, instances)
        screen = UpScreen(
            terminal: terminal, context: context, followsLogs: !options.isDetached, started: started,
            sidecars: options.names.isEmpty ? nil : names)
        hearThroughOutput(of: client)
        screen.show(outcome.answer.summary)
    }

    /// An app may wait for the line of `--ready-fd` before it reads our output: lines of sidecars that nobody takes are
    /// dropped for what the supervisor says until then.
    private func hearThroughOutput(of client: ControlClient) {
        guard let ready, !ready.isDone else { return }
        Console.watch(
            Console.Interruption(descriptor: client.descriptor, events: Int16(POLLIN)) { !ready.isDone })
    }

    /// 128 bits nobody guesses.
    private static func token() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
    }

    // MARK: The loop

    func run() throws -> Int32 {
        guard options.waits else { return 0 }
        if !options.isDetached, !isHolder, !FirstProcess.isUs {
            screen.say("attached to a project that is up; Ctrl-C leaves it running")
        }
        do {
            return try stay()
        } catch  where FirstProcess.isUs {
            // Whatever went wrong here, the others must not be torn away with us.
            let failure = error as? CommandFailure ?? (error as? ControlError).map { CommandFailure($0) }
            if let text = failure?.message, !text.isEmpty {
                Console.printError("orchestrate: \(text.terminalSafeLines)")
            }
            return try takeDown(presses: 0, code: failure?.exitCode ?? ExitCode.bug.rawValue)
        }
    }

    private func stay() throws -> Int32 {
        var isLost = false
        while true {
            do {
                if let code = try isLost ? reconnect() : turn() { return code }
                isLost = false
            } catch let error as ControlError where error.code == .noSupervisor {
                isLost = true
            }
        }
    }

    /// Waits for what comes next and takes it in. Answers the exit code, once it is known.
    private func turn() throws -> Int32? {
        if let code = try verdict() { return code }
        let descriptors = [client.descriptor, signals.descriptor] + input + screen.descriptors
        let found =
            client.hasArrived || isInterrupted
            ? [] : Poll.wait(for: descriptors, writing: ready?.waiting ?? [], timeout: patience)
        if phase == .settling, let standstill = keeper.look() { screen.say(standstill) }
        // Events first: whether Ctrl-C ends the project may have changed before it was pressed.
        if found.contains(client.descriptor) || client.hasArrived, let code = try takeEvents() { return code }
        if found.contains(signals.descriptor) || isInterrupted, let code = try takeSignals() { return code }
        if !found.isDisjoint(with: input), InputLease.hasEnded { return try takeEndOfInput() }
        ready?.flush()
        screen.followLogs()
        return nil
    }

    private var input: [Int32] {
        if case .input = options.binding { [InputLease.descriptor] } else { [] }
    }

    /// Until the deadline, the next frame of the tree, or the next look at the keeper.
    private var patience: Duration? {
        if screen.isBehind { return .zero }
        guard phase == .settling else { return nil }
        let rest = context.patience.rest
        let step = terminal.isInteractive ? .milliseconds(100) : keeper.rest
        return min(rest ?? step, step)
    }

    /// On a terminal everything is shown; elsewhere only where things got to.
    private static func subscription(_ terminal: Terminal) -> Subscribe.Parameters {
        terminal.isInteractive
            ? Subscribe.Parameters(withReports: true)
            : Subscribe.Parameters(states: StateName.allCases.filter(EventLine.isWorthALine))
    }

    private func observe(_ report: ProjectReport) {
        view = ProjectView(report)
        let instances = view.instances.filter { Self.counts($0, of: wanted) }
        health = GoalTracker(.healthy, instances)
        completion = GoalTracker(.completed, instances)
    }

    /// What becomes of a replica on its way out is no answer to an `up`.
    static func counts(_ instance: InstanceReport, of wanted: Set<String>) -> Bool {
        wanted.contains(instance.sidecar) && instance.isRemoved != true
    }

    private func observe(_ transition: TransitionEvent, at: Timestamp) {
        view.apply(transition, at: at)
        guard let instance = view[transition.instance], Self.counts(instance, of: wanted) else { return }
        health.update(instance)
        completion.update(instance)
    }

    /// The exit code, once it is known.
    private func verdict() throws -> Int32? {
        switch phase {
        case .settling:
            switch health.progress {
            case .reached:
                try sayReady()
                screen.settled(view, count: health.count)
                if options.isDetached { return 0 }
                phase = .attached
                // From here on it takes as long as it takes.
                context.patience.deadline = nil
                return try verdict()
            case .failed(let names):
                if let code = try fail(names) { return code }
                return try context.patience.isOver ? giveUp() : nil
            case .underWay:
                if context.patience.isOver { return try giveUp() }
                screen.draw(view, title: "starting")
                return try codeOfTheOneThatDecides()
            }
        case .attached:
            if let code = try codeOfTheOneThatDecides() { return code }
            // Tasks only, and all of them done: there is nothing to stay with.
            let isOver = completion.count > 0 && completion.progress == .reached
            return isOver && (isHolder || FirstProcess.isUs) ? try takeDown(presses: 0, code: 0) : nil
        }
    }

    private func sayReady() throws {
        guard let ready else { return }
        let report = try client.call(Status.self, .init())
        let secrets = try client.call(GeneratedSecrets.self, .init()).values
        ready.say(
            .ready(
                .init(
                    report, wanted: wanted, secrets: secrets, controlSocket: context.location.socketPath,
                    isBound: isHolder)))
    }

    // MARK: Signals and events

    /// Remembered until it was answered: the supervisor may be lost at this moment.
    private func takeSignals() throws -> Int32? {
        while let signal = signals.next() {
            if signal != SIGWINCH { isInterrupted = true }
        }
        guard isInterrupted else { return nil }
        let interrupted = ExitCode.interrupted.rawValue
        screen.clear()
        if options.isDetached {
            Console.printError("interrupted; the project goes on: orchestrate status\(context.selector)")
            return interrupted
        }
        guard try FirstProcess.isUs || stillHoldsLease() else {
            Console.printError("detached; the project goes on")
            return interrupted
        }
        Console.printError("stopping in order; Ctrl-C again skips the grace periods")
        return try takeDown(presses: 1, code: .ofPrimary(otherwise: interrupted))
    }

    /// Whoever held the other end has closed it, or is gone.
    private func takeEndOfInput() throws -> Int32 {
        Console.isLeaving = true
        screen.clear()
        guard try FirstProcess.isUs || stillHoldsLease() else {
            Console.printError("standard input ended; the project goes on")
            return 0
        }
        Console.printError("standard input ended; stopping in order")
        return try takeDown(presses: 0, code: .ofPrimary(otherwise: 0))
    }

    func stillHoldsLease() throws -> Bool {
        guard isHolder, let lease else { return false }
        return try client.call(
            Lease.self, .init(action: .renew, token: lease.token, client: lease.identity)
        ).isHolder
    }

    private func takeEvents() throws -> Int32? {
        for case .event(let message) in try client.receive() {
            if let code = take(message) { return code }
        }
        screen.flush()
        if mustLook { observe(try client.call(Status.self, .init())) }
        mustLook = false
        return nil
    }

    /// The exit code, when the event ends this command.
    private func take(_ message: EventMessage) -> Int32? {
        switch message.event {
        case .transition(let transition):
            observe(transition, at: message.at)
            screen.show(transition, in: view, isSettling: phase == .settling)
            // Somebody stopped it, or declared it no longer: whether it is still wanted, only a snapshot says.
            if transition.to == .stopped, [.user, .apply].contains(transition.initiator) { mustLook = true }
        case .missed: mustLook = true
        case .finished(let code, let survivors): return finished(code, survivors)
        case .leaseEnded(let reason): loseLease(reason)
        case .warning(let text): screen.say("warning: \(text)")
        case .portChanged(let instance, let port, let from, let to):
            screen.say("\(instance): port \(port) moved from \(from) to \(to)")
            // Who refers to it is to be restarted.
            mustLook = true
        // Instances may have left, have other names, or are not to be restarted any more.
        case .applied(let summary):
            if summary.changes.isEmpty || !summary.started.isEmpty
                || summary.changes.contains(where: { $0.action != .create })
            {
                mustLook = true
            }
        case .leaseTaken: break
        }
        return nil
    }

    private func finished(_ code: Int32, _ survivors: [SurvivorReport]) -> Int32 {
        screen.say("the project is down")
        // Taken down by somebody else before it got where it was to get; unless its primary has ended it, whose code it is.
        let hasDecided = view.instances.contains { $0.isPrimary && ($0.state == .completed || $0.state == .failed) }
        let isOvertaken = phase == .settling && code == 0 && !hasDecided
        let ownCode = isOvertaken ? ExitCode.conflict.rawValue : code
        ready?.say(.failed(code: ownCode, reason: "the project went down before all was healthy"))
        ProjectEnd(view.project).wait(areGone: survivors.isEmpty)
        guard !survivors.isEmpty else { return ownCode }
        Console.printError(DownSession.sentence(on: survivors))
        return ExitCode.failed.rawValue
    }

    private func loseLease(_ reason: String) {
        guard isHolder else { return }
        isHolder = false
        // Let go of, or over with who held it: no answer means that all is down already.
        let phase = (try? client.call(Status.self, .init()))?.phase
        guard phase == .running else { return screen.say("\(reason); stopping in order") }
        screen.say("the project no longer ends with this command: \(reason)")
    }

    private static let nothingLeft = "the supervision of the project was lost, and nothing of it is left"

    /// The supervisor was lost: its keeper starts it again, and the lease goes on where it was.
    private func reconnect() throws -> Int32? {
        // What it said to the end says more than that it is gone.
        while let arrived = try? client.receive(), !arrived.isEmpty {
            for case .event(let message) in arrived {
                if let code = take(message) { return code }
            }
        }
        let wasHolder = isHolder
        let decided = codeAfterLoss
        guard let (connection, project) = try context.resubscribed(Self.subscription(terminal)) else {
            screen.clear()
            // A successor may have brought it to its end before we could ask.
            if let code = decided ?? codeAfterLoss {
                screen.say("the project is down")
                return code
            }
            if phase == .settling, context.wasTakenDown {
                Console.printError(ProjectContext.takenDown)
                return ExitCode.conflict.rawValue
            }
            Console.printError(Self.nothingLeft)
            return ExitCode.noSupervisor.rawValue
        }
        Console.unwatch(client.descriptor)
        client = connection.client
        hearThroughOutput(of: client)
        observe(project)
        isHolder = try stillHoldsLease()
        // Keeper, supervisor and guard were lost: what they left is ended, and the project is over. A supervisor that we
        // had to start for that waits for nobody else.
        let isOver = view.instances.allSatisfy { !$0.isWanted }
        guard isOver, connection.isFresh || (wasHolder && !isHolder) else { return nil }
        screen.clear()
        Console.printError("the supervision of the project was lost, and what was left of it is ended")
        return try takeDown(presses: 0, code: decided ?? ExitCode.noSupervisor.rawValue)
    }
}
