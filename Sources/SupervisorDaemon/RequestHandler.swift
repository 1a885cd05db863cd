import ControlAPI
import ControlServer
import Glibc
import Planning
import Reconciliation
import SidecarModel

/// Carries out what clients ask: checks it, tells the core, answers.
final class RequestHandler: ControlHandler {
    private unowned let supervisor: Supervisor

    init(supervisor: Supervisor) { self.supervisor = supervisor }

    func handle(_ request: ControlRequest, from peer: ControlPeer, reply: @escaping Reply) {
        switch request {
        case .down(let parameters): supervisor.takeDown(releasingPorts: parameters.releasesPorts, reply)
        case .attach(let parameters): supervisor.attach(parameters, by: peer, reply)
        case .status(let parameters): supervisor.status(parameters, reply)
        case _:
            if request.changesWhatIsWanted { supervisor.warnOfJournal(again: true) }
            do throws(ControlError) {
                reply(.success(try answer(request)))
            } catch {
                reply(.failure(error))
            }
        }
    }

    /// A lease hangs on the client's life, not on its connection: it may come back after a restart of the supervisor.
    func connectionClosed(_ peer: ControlPeer) {
        supervisor.endIfUnused(after: .seconds(1))
    }

    private func answer(_ request: ControlRequest) throws(ControlError) -> ControlResponse {
        switch request {
        case .hello: .hello(supervisor.greeting)
        case .apply(let parameters): .apply(try supervisor.apply(parameters))
        case .down: throw ControlError(.internal, "down is answered when all is down")
        case .attach: throw ControlError(.internal, "attach is answered when the output is left to the client")
        case .hurry(let parameters): .hurry(try hurry(parameters))
        case .status: throw ControlError(.internal, "status is answered when what is used is known")
        case .start(let parameters): .start(try start(parameters))
        case .stop(let parameters): .stop(try stop(parameters))
        case .restart(let parameters): .restart(try restart(parameters))
        case .run(let parameters): .run(try run(parameters))
        case .environment(let parameters): .environment(try supervisor.environment(parameters))
        case .ports(let parameters): .ports(try supervisor.ports(parameters))
        case .subscribe(let parameters): .subscribe(supervisor.snapshot(withSidecars: parameters.withSidecars))
        case .lease(let parameters): .lease(try lease(parameters))
        case .generatedSecrets: .generatedSecrets(.init(values: supervisor.secrets.generated))
        case .upgrade(let parameters): .upgrade(try supervisor.upgrade(parameters))
        }
    }

    private func hurry(_ parameters: HurryUp.Parameters) throws(ControlError) -> Acknowledgement {
        guard supervisor.engine.reconciler.isShuttingDown else {
            throw ControlError(.conflict, "the project is not going down: there is no stop of all to shorten")
        }
        let pace: Hurry =
            switch parameters.pace {
            case .noGrace: .noGrace
            case .killNow: .killNow
            }
        supervisor.engine.observe(.hurry(pace))
        supervisor.helpers.hurry(pace)
        return Acknowledgement()
    }

    private func start(_ parameters: Start.Parameters) throws(ControlError) -> Touched {
        let names = try sidecars(named: parameters.names)
        try refuseWhileGoingDown()
        let plan = supervisor.engine.reconciler.plan
        let isTouched = plan.closure(of: names)
        supervisor.engine.observe(.start(parameters.names, by: .user))
        let others = plan.sidecars.indices.filter { isTouched[$0] }.map { plan.sidecars[$0].name }
        return Touched(sidecars: names + others.filter { !names.contains($0) })
    }

    private func stop(_ parameters: Stop.Parameters) throws(ControlError) -> Touched {
        let names = try sidecars(named: parameters.names)
        switch parameters.dependents {
        case .refuse:
            let dependents = supervisor.engine.reconciler.dependents(losing: parameters.names)
            guard dependents.isEmpty else { throw refusal(toStop: parameters.names, for: dependents) }
            supervisor.engine.observe(.stop(parameters.names, scope: .only, by: .user))
            return Touched(sidecars: names)
        case .leave:
            supervisor.engine.observe(.stop(parameters.names, scope: .only, by: .user))
            return Touched(sidecars: names)
        case .cascade:
            let dependents = supervisor.engine.reconciler.dependents(runningOn: names)
            supervisor.engine.observe(.stop(parameters.names, scope: .cascade, by: .user))
            return Touched(sidecars: names + dependents.filter { !names.contains($0) })
        }
    }

    private func refusal(toStop names: [String], for dependents: [String]) -> ControlError {
        let isOne = dependents.count == 1
        let them = isOne ? "it" : "them"
        return ControlError(
            .dependentsRunning,
            "cannot stop \(names.joined(separator: ", ")): \(dependents.joined(separator: ", ")) "
                + "\(isOne ? "needs" : "need") it and \(isOne ? "runs" : "run"). Use --cascade to stop \(them) too, or "
                + "--force to leave \(them) running",
            names: dependents)
    }

    private func restart(_ parameters: Restart.Parameters) throws(ControlError) -> Touched {
        let names = try sidecars(named: parameters.names)
        try refuseWhileGoingDown()
        let idle = supervisor.engine.reconciler.idle
        supervisor.engine.observe(.restart(parameters.names, by: .user))
        let started = idle.subtracting(supervisor.engine.reconciler.idle).subtracting(names)
        let plan = supervisor.engine.reconciler.plan
        return Touched(sidecars: names + plan.sidecars.map(\.name).filter(started.contains))
    }

    private func run(_ parameters: RunTask.Parameters) throws(ControlError) -> RunTask.Answer {
        let names = try sidecars(named: [parameters.name])
        try refuseWhileGoingDown()
        let plan = supervisor.engine.reconciler.plan
        guard let spec = plan.sidecars.first(where: { names.contains($0.name) }), spec.kind == .task else {
            throw ControlError(
                .failed, RunTask.refusal(of: parameters.name, use: "start or restart"))
        }
        supervisor.engine.observe(.run(parameters.name))
        let instances = supervisor.engine.reconciler.instances(named: parameters.name)
        return RunTask.Answer(instances: instances.map(supervisor.reports.shownName))
    }

    private func lease(_ parameters: Lease.Parameters) throws(ControlError) -> Lease.Answer {
        switch parameters.action {
        case .take:
            try supervisor.leases.take(parameters.token, by: parameters.client, fromWhatIsOver: false)
            supervisor.settleLoss()
            return Lease.Answer(isHolder: true)
        case .renew:
            return Lease.Answer(isHolder: supervisor.leases.isHolder(parameters.token))
        case .release:
            guard supervisor.leases.isHolder(parameters.token) else { return Lease.Answer(isHolder: false) }
            supervisor.releaseLease(because: "its client let go of it")
            return Lease.Answer(isHolder: false)
        }
    }

    private func refuseWhileGoingDown() throws(ControlError) {
        guard supervisor.engine.reconciler.isShuttingDown else { return }
        throw ControlError(.conflict, "the project is going down; bring it up again with: orchestrate up")
    }

    /// The sidecars meant, each once; `mcp/0` means `mcp`. Throws `unknownSidecar` naming all that are not there.
    private func sidecars(named names: [String]) throws(ControlError) -> [String] {
        guard !names.isEmpty else { throw ControlError(.invalidParameters, "no sidecar was named") }
        var found: [String] = []
        var unknown: [String] = []
        for name in names {
            let instances = supervisor.engine.reconciler.instances(named: name)
            guard let first = instances.first, let sidecar = supervisor.engine.name(of: first)?.sidecar else {
                unknown.append(name)
                continue
            }
            if !found.contains(sidecar) { found.append(sidecar) }
        }
        guard unknown.isEmpty else { throw supervisor.unknownSidecars(unknown) }
        return found
    }
}

extension ControlRequest {
    fileprivate var changesWhatIsWanted: Bool {
        switch self {
        case .start, .stop, .restart, .run: true
        default: false
        }
    }
}
