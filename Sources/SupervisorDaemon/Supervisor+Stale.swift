import ControlAPI
import Planning
import Reconciliation
import SidecarModel
package import StateStore
package import Supervision

// What an earlier life of the project, of which nothing is on record any more, may have left running.
extension Supervisor {
    /// Calls back at once unless there is something to look for; then when it is gone. Once per sidecar and life.
    func whenNothingIsStale(
        of spec: SidecarSpec, _ body: @escaping (SpawnFailure?) -> Void
    ) {
        whenLostLifeIsOver { [unowned self] failure in
            if let failure { return body(failure) }
            whenNothingIsStaleBesides(spec, body)
        }
    }

    private func whenNothingIsStaleBesides(_ spec: SidecarSpec, _ body: @escaping (SpawnFailure?) -> Void) {
        guard let executable = spec.privileges.staleExecutable, sweptFor[spec.name] != executable else {
            return body(nil)
        }
        waitingForSweep[spec.name, default: []].append(body)
        guard waitingForSweep[spec.name]?.count == 1 else { return }
        let project = engine.reconciler.plan.project.name
        let search = StaleSearch(
            executable: executable, user: spec.privileges.user, project: project, sidecar: spec.name,
            ownNonce: StaleSearch.nonce(ofRecordsAt: location.spawnRecordsPath), others: location.othersByNonce)
        sweeper.run(signal: spec.stop.signal, grace: .seconds(2), search: search.run) { [unowned self] outcome in
            swept(spec.name, executable, outcome)
        }
    }

    private func swept(_ name: String, _ executable: String, _ outcome: StaleSweeper.Outcome) {
        for process in outcome.ended {
            publish(.warning("ended \(process.sentence), left by an earlier life of '\(name)'"))
        }
        for (process, reason) in outcome.leftAlone {
            publish(.warning("left \(process.sentence) alone, though '\(name)' has that as stale: \(reason)"))
        }
        var failure: SpawnFailure?
        if outcome.survivors.isEmpty {
            sweptFor[name] = executable
        } else {
            let list = outcome.survivors.map(\.sentence).joined(separator: ", ")
            failure = SpawnFailure(
                step: .environment, message: "cannot end what an earlier life of '\(name)' left behind: \(list)")
        }
        for body in waitingForSweep.removeValue(forKey: name) ?? [] { body(failure) }
    }
}

extension StaleProcess {
    package var sentence: String { "pid \(pid) (\(executable))" }
}

extension ProjectLocation {
    /// The other projects that keep their state beside this one, by the number their processes are marked with.
    package var othersByNonce: [UInt32: String] {
        var found: [UInt32: String] = [:]
        for project in StateRoot(path: root).projects() where project.stateDirectory != stateDirectory {
            guard let nonce = StaleSearch.nonce(ofRecordsAt: project.spawnRecordsPath) else { continue }
            found[nonce] = project.stateDirectory
        }
        return found
    }
}
