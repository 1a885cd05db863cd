import ControlAPI
import ControlServer
import Glibc
import Reconciliation
import SidecarModel
import StateStore
import Supervision

// From the last sidecar's end to that of the supervisor.
extension Supervisor {
    /// All is down. Hooks that still run (`post_stop`) are waited for, each at most its timeout.
    func finish(_ code: Int32) {
        ending = endsForLoss && code == 0 ? ExitCode.failed.rawValue : code
        helpers.onIdle = { [unowned self] in endWhenIdle() }
        whenLostLifeIsOver { [unowned self] _ in endWhenIdle() }
    }

    func endWhenIdle() {
        guard let code = ending, helpers.isIdle, openPosts == 0, !lostLife.isBeingEnded else { return }
        // An `up` came between the last sidecar's end and this.
        guard engine.reconciler.isShuttingDown else {
            ending = nil
            return
        }
        let survivors = survivors
        engine.goodRuns.store()
        logs.stop()
        finishReports()
        // Beside the rest of what is to be done; `sayGoodbye` waits for it.
        if survivors.isEmpty { host.perform { [logs] in logs.discardFifos() } }
        // What could not be ended stays on record, for the next command to find.
        let ended = engine.reconciler.instances.filter { engine.reconciler.stateName(of: $0) != .stopping }
        journal.endInstances(ended.compactMap { engine.name(of: $0) })
        if releasesPorts { releasePorts() }
        leases.release()
        if survivors.isEmpty {
            secrets.discard()
            credentials.removeAll()
        }
        warnOfJournal(again: true)
        publish(.finished(code: code, survivors: survivors))
        for reply in pendingDowns { reply(.success(.down(Down.Answer(survivors: survivors)))) }
        pendingDowns = []
        server?.close()
        ClientDoor.removeAll(in: location.stateDirectory)
        unlink(location.socketPath)
        unlink(location.stateDirectory + "/notify")
        host.sayGoodbye()
        loop.stop()
    }

    /// What SIGKILL did not end.
    private var survivors: [SurvivorReport] {
        let builder = reports
        let hanging = host.hangingSurvivors.map { name, survivor in
            let instance = InstanceName(indexed: name)
            let index = instance.flatMap { engine.reconciler.instance(sidecar: $0.sidecar, replica: $0.replica) }
            return SurvivorReport(
                instance: index.map(builder.shownName) ?? name, pid: survivor.pid, state: survivor.state,
                waitChannel: survivor.waitChannel)
        }
        let lost = lostLife.survivors.compactMap { process in
            host.survivor(process.pid).map {
                SurvivorReport(
                    instance: "a life without records", pid: $0.pid, state: $0.state, waitChannel: $0.waitChannel)
            }
        }
        return hanging + lost
            + engine.reconciler.instances.flatMap { index -> [SurvivorReport] in
                guard engine.reconciler.stateName(of: index) == .stopping else { return [] }
                return processes(of: index).flatMap { host.survivors(of: $0) }.map {
                    SurvivorReport(
                        instance: builder.shownName(of: index), pid: $0.pid, state: $0.state,
                        waitChannel: $0.waitChannel)
                }
            }
    }

    /// A client that was killed before it handed over a manifest leaves nothing to supervise.
    func endIfUnused(after delay: Duration) {
        guard isNew else { return }
        if let unusedTimer { loop.cancel(unusedTimer) }
        unusedTimer = loop.schedule(at: loop.now + delay) { [unowned self] in
            unusedTimer = nil
            guard isNew, server?.connectionCount == 0, !engine.reconciler.isShuttingDown else { return }
            takeDown { _ in }
        }
    }

    // MARK: Saying what happens

    func publish(_ event: ControlEvent) {
        announcer.tell()
        server?.publish(EventMessage(sequence: UInt64(journal.sequence), at: WallClock.now, event: event))
    }
}
