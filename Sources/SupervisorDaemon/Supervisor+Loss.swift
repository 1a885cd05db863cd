import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

// What is arranged for the loss of the keeper, of the supervisor, and of both.
extension Supervisor {
    /// Says who ends the project when nobody supervises it any more. A client that holds a lease wants nothing to
    /// outlive it; a detached project lives on unless its manifest says otherwise.
    func settleLoss() {
        let wish = engine.reconciler.plan.project.onSupervisorExit ?? .keep
        host.setGuarded(leases.current != nil || wish == .stop)
    }

    /// How each process is to be stopped by the guard, as far as it runs already.
    func recordStops() {
        let plan = engine.reconciler.plan
        stopRanks = [:]
        for (rank, wave) in plan.waves.enumerated() {
            for sidecar in wave { stopRanks[plan.sidecars[sidecar].name] = rank }
        }
        for index in engine.reconciler.instances {
            let processes = processes(of: index)
            guard !processes.isEmpty, let spec = engine.reconciler.spec(of: index) else { continue }
            for process in processes { host.record(stopRecord(of: spec), of: process) }
        }
    }

    func stopRecord(of spec: SidecarSpec) -> StopRecord { StopRecord(spec.stop, rank: stopRanks[spec.name] ?? 0) }

    /// Nobody can ask for an end any more, so this is it.
    func stateLost() {
        guard ending == nil else { return }
        warn(
            "the state directory \(location.stateDirectory) was deleted or moved away: no command would find the "
                + "project any more, so it is brought down")
        endsForLoss = true
        shutDown(by: .supervisor)
    }

    /// We go on as its successor: the new keeper starts a supervisor, which takes everything up again. What was the lost
    /// one's child is not the new one's: there, emptiness is proved by cgroup, or searched for by session and mark.
    func keeperLost() {
        // Not under the feet of whoever found out.
        _ = loop.schedule(at: loop.now) { [weak self] in self?.becomeKeeper() }
    }

    private func becomeKeeper() {
        guard ending == nil else { return }
        engine.goodRuns.store()
        var held: [(key: UInt64, descriptor: Int32)] = []
        for index in engine.reconciler.instances {
            guard let name = engine.name(of: index) else { continue }
            held += logs.readEnds(of: name.logInstance).map { (name.holdKey, $0) }
        }
        held += sessions.held
        let arguments = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--keeper-descriptors") }
        let failure = host.becomeKeeper(
            stateDirectory: location.stateDirectory, arguments: Array(arguments), holding: held)
        warn(
            "the keeper was lost and cannot be replaced (\(SystemError.message(for: failure))): sidecars go on, and a "
                + "crash of the supervisor is not repaired until the next up")
    }
}
