import ControlAPI
import ControlClient
import Glibc
import SidecarModel

/// A connection that knows how the project was before the command asked for something, and waits until it got there.
final class GoalSession {
    let context: ProjectContext
    private var client: ControlClient
    private var view: ProjectView
    private var before: [String: UInt64] = [:]
    /// By instance: the last state that was printed of it.
    private var told: [String: StateName] = [:]
    private let terminal: Terminal
    private let signals = SignalWatch()
    private var keeper: KeeperWatch

    private static let takenDown = CommandFailure(.failed, ProjectContext.takenDown)

    /// - Parameters:
    ///   - noted: whose lives are looked at before anything is asked for, to be compared with later ones; empty:
    ///     everybody's. Who is not asked for is not described: there may be thousands.
    ///   - client: by which something was asked for already, where it is given.
    init(_ context: ProjectContext, noting noted: [String]? = nil, client: ControlClient? = nil) throws {
        self.context = context
        keeper = KeeperWatch(of: context.location)
        // Interrupted, it has nothing to do but to end.
        context.patience.heedsSignalsAfter = .zero
        terminal = Terminal(environment: context.environment)
        (self.client, view) = try context.ask(try client ?? context.connect()) { client in
            let nobody = try client.call(Subscribe.self, .init(withSidecars: false)).project
            guard let noted else { return (client, ProjectView(nobody)) }
            do {
                return (client, ProjectView(try client.call(Status.self, .init(names: noted))))
            } catch let error as ControlError where error.code == .unknownSidecar {
                // What is asked for then says so.
                return (client, ProjectView(nobody))
            }
        }
        before = Dictionary(view.instances.map { ($0.name, $0.incarnation) }, uniquingKeysWith: { first, _ in first })
    }

    /// Asks what may be asked twice: a supervisor that dies over it has a successor, who is asked again.
    func ask<Operation: ControlOperation>(
        _: Operation.Type, _ parameters: Operation.Parameters
    ) throws -> Operation.Answer {
        try context.outlivingLosses {
            try client.call(Operation.self, parameters)
        } afterEach: {
            guard try reconnect() else { throw context.wentDown }
            return nil
        }
    }

    /// Asks what may not be done twice.
    /// - Parameter rest: what is still to be asked for when a supervisor was lost that may have begun with it.
    /// - Returns: nil when nothing of it is left to be asked for.
    func ask<Operation: ControlOperation>(
        _: Operation.Type, _ parameters: Operation.Parameters, rest: () -> Operation.Parameters?
    ) throws -> Operation.Answer? {
        var parameters = parameters
        return try context.outlivingLosses {
            try client.call(Operation.self, parameters)
        } afterEach: {
            guard try reconnect() else { throw context.wentDown }
            guard let more = rest() else { return .some(nil) }
            parameters = more
            return nil
        }
    }

    /// False when nothing is left of the project but what could not be ended.
    private func reconnect() throws -> Bool {
        guard ProjectContext.survivors(saidBy: client) == nil,
            let (connection, project) = try context.resubscribed(.init())
        else { return false }
        client = connection.client
        view = ProjectView(project)
        return true
    }

    /// Whether all instances of that name are in another life than when the session began.
    func isInAnotherLife(_ name: String) -> Bool {
        let instances = view.instances(named: name)
        return !instances.isEmpty
            && instances.allSatisfy { instance in before[instance.name].map { $0 < instance.incarnation } ?? true }
    }

    func instances(named name: String) -> [String] { view.instances(named: name).map(\.name) }

    /// - Parameters:
    ///   - names: sidecars or instances; empty: all.
    ///   - countsNewLivesOnly: what was there when the session began is not what is waited for.
    ///   - isAsked: this command has asked them to stop; whoever wants one up since has overtaken it.
    func wait(
        for goal: Goal, of names: [String], countsNewLivesOnly: Bool = false, isAsked: Bool = false
    ) throws {
        let old = countsNewLivesOnly ? before : [:]
        while true {
            do {
                return try wait(for: goal, of: names, after: old, isAsked: isAsked)
            } catch let error as ControlError where error.code == .noSupervisor {
                let survivors = ProjectContext.survivors(saidBy: client)
                if survivors == nil, try reconnect() { continue }
                guard survivors?.isEmpty ?? true else { throw Self.takenDown }
                // What is not there is stopped.
                if goal == .stopped { return }
                throw context.wentDown
            }
        }
    }

    private func wait(
        for goal: Goal, of names: [String], after old: [String: UInt64], isAsked: Bool
    ) throws {
        // The snapshot is older than what the command asked for since.
        var mustLook = true
        while true {
            if mustLook { view = ProjectView(try client.call(Status.self, .init(names: names))) }
            mustLook = false
            let instances = try selected(names, for: goal)
            // A task that is done stays wanted: nothing of it was left to stop.
            let overtaken = isAsked ? instances.filter { $0.isWanted && $0.state != .completed }.map(\.name) : []
            guard overtaken.isEmpty else {
                let list = overtaken.joined(separator: ", ")
                let what = overtaken.count == 1 ? "it" : "them"
                throw CommandFailure(.failed, "not stopped: \(list), as somebody has started \(what) again meanwhile")
            }
            switch goal.progress(of: instances, after: old) {
            case .reached:
                // What was said before that answer is told before the end.
                if client.hasArrived { _ = try takeIn(for: .zero, towards: goal, mustLook: &mustLook) }
                if isAsked { sayWhatWasNotTold(of: instances) }
                return
            case .failed(let failed): throw failure(goal, failed)
            case .underWay: break
            }
            if context.patience.isOver {
                throw lateness(goal, instances.filter { goal.progress(of: [$0], after: old) != .reached })
            }
            if let survivors = try takeIn(for: context.patience.rest, towards: goal, mustLook: &mustLook) {
                if goal == .stopped, survivors.isEmpty { return }
                throw Self.takenDown
            }
        }
    }

    /// Not nil: the project is down, but for these.
    private func takeIn(
        for rest: Duration?, towards goal: Goal, mustLook: inout Bool
    ) throws -> [SurvivorReport]? {
        let pause = min(rest ?? keeper.rest, keeper.rest)
        let ready =
            client.hasArrived ? [] : Poll.wait(for: [client.descriptor, signals.descriptor], timeout: pause)
        if let standstill = keeper.look() { Console.printError(standstill) }
        if ready.contains(signals.descriptor), let signal = signals.next(), signal != SIGWINCH {
            throw CommandFailure(.interrupted, "interrupted; what was asked for goes on")
        }
        var lines = EventLines()
        defer { Console.write(lines.take(terminal.palette)) }
        for case .event(let message) in try client.receive() {
            switch message.event {
            case .transition(let transition):
                view.apply(transition, at: message.at)
                // Whether it is still wanted, or is again, only a snapshot says.
                let isStopped = transition.to == .stopped
                if goal == .stopped ? transition.from == .stopping && !isStopped : isStopped { mustLook = true }
                if EventLine.isWorthALine(transition, in: view) {
                    told[transition.instance] = transition.to
                    lines.add(transition)
                }
            // Instances may have come or left, have other names, or are to be restarted.
            case .missed, .applied, .portChanged: mustLook = true
            case .finished(_, let survivors): return survivors
            case .warning(let text): Console.printError("warning: \(text.terminalSafe)")
            case .leaseTaken, .leaseEnded: break
            }
        }
        return nil
    }

    /// They had stopped before, or a supervisor that was lost saw it.
    private func sayWhatWasNotTold(of instances: [InstanceReport]) {
        for instance in instances where told[instance.name] != instance.state {
            Console.print(EventLine.text(instance, palette: terminal.palette))
        }
    }

    private func selected(_ names: [String], for goal: Goal) throws -> [InstanceReport] {
        guard !names.isEmpty else { return view.instances.filter { $0.isWanted || $0.state != .stopped } }
        return try names.flatMap { name in
            let found = view.instances(named: name)
            // What is not there is stopped, and becomes nothing else.
            guard !found.isEmpty || goal == .stopped else {
                throw CommandFailure(.unknownSidecar, "'\(name)' has no instances")
            }
            return found
        }
    }

    private func lateness(_ goal: Goal, _ late: [InstanceReport]) -> CommandFailure {
        let standstills = [
            Silence.standstill(of: client.supervisorPID), LivingSidecars.keeperStandstill(in: context.location),
        ]
        let lines = LateReport(goal, late, in: context).lines(terminal.palette) + standstills.compactMap(\.self)
        Console.printError(lines.joined(separator: "\n"))
        return CommandFailure(.timeout)
    }

    private func failure(_ goal: Goal, _ failed: [String]) -> CommandFailure {
        let project = try? client.call(Status.self, .init())
        let report = project?.sidecars ?? view.instances
        let instances = report.filter { failed.contains($0.name) }
        // Nothing is wrong with them: somebody has taken down everything, which may be over by now.
        let goesDown = project.map { $0.phase == .stopping } ?? (ProjectContext.survivors(saidBy: client) != nil)
        if goesDown, instances.allSatisfy({ $0.state == .stopped }) { return Self.takenDown }
        let endless = goal == .completed ? instances.filter { $0.neverCompletes == true } : []
        guard endless.isEmpty else {
            let list = endless.map(\.name).joined(separator: ", ")
            return CommandFailure(
                .failed,
                "\(list) \(endless.count == 1 ? "does" : "do") not complete: only a task, or a service that is not always "
                    + "restarted, comes to an end of its own")
        }
        let text = FailureReport(
            failed: instances, all: report, lastLines: LogAccess.lastLines(of: instances, in: context),
            selector: context.selector, columns: Terminal.columnsOfErrors)
        Console.printError(text.lines(terminal.palette).joined(separator: "\n"))
        return CommandFailure(.failed)
    }

    /// Waits for a task's end, and answers its code, whatever became of it.
    func exitCode(ofTask names: [String]) throws -> Int32 {
        do {
            // One that runs is not started again: its end is the answer.
            try wait(for: .completed, of: names)
        } catch let failure as CommandFailure where failure.exitCode == ExitCode.failed.rawValue {
            // Nobody knows when the project was taken down meanwhile.
            let code = (try? lastExitCode(of: names)) ?? 0
            throw code == 0 ? failure : CommandFailure(exitCode: code)
        }
        return try lastExitCode(of: names)
    }

    private func lastExitCode(of names: [String]) throws -> Int32 {
        let report = try ask(Status.self, .init(names: names))
        return report.sidecars.compactMap { $0.lastExit?.shellCode }.first { $0 != 0 } ?? 0
    }
}
