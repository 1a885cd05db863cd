import ControlAPI
import Reconciliation
import SidecarModel
import Supervision

/// How far the end of a life is of which there are no records any more.
struct LostLife {
    var isBeingEnded = false
    var waiting: [(SpawnFailure?) -> Void] = []
    /// What SIGKILL did not end, as of the last try.
    var survivors: [StaleProcess] = []
}

// A life of the project whose state was deleted or damaged is known by the mark of what it left running. That is ended
// before anything is started beside it, and before the project counts as down.
extension Supervisor {
    /// As long as nobody said how: what a sidecar has by default.
    private static let grace: Duration = .seconds(10)

    /// Calls back at once unless there may be such a life; then when nothing of it lives, or not all of it can be ended.
    func whenLostLifeIsOver(_ body: @escaping (SpawnFailure?) -> Void) {
        guard host.mustSearchLostLife else { return body(nil) }
        lostLife.waiting.append(body)
        guard !lostLife.isBeingEnded else { return }
        lostLife.isBeingEnded = true
        endLostLife()
    }

    private func endLostLife() {
        let search = host.lostLifeSearch
        sweeper.run(signal: .terminate, grace: Self.grace, search: search.run) { [unowned self] outcome in
            for process in outcome.ended {
                publish(.warning("ended \(process.sentence), left by a life of the project whose records are lost"))
            }
            lostLife.survivors = outcome.survivors
            guard outcome.survivors.isEmpty else {
                let list = outcome.survivors.map(\.sentence).joined(separator: ", ")
                return lostLifeEnded(
                    SpawnFailure(
                        step: .environment,
                        message: "cannot end what a life of the project whose records are lost left behind: \(list)"))
            }
            // What was just being started by one of them was not there to be found.
            if !outcome.ended.isEmpty { return endLostLife() }
            host.foundNoLostLife()
            lostLifeEnded(nil)
        }
    }

    private func lostLifeEnded(_ failure: SpawnFailure?) {
        lostLife.isBeingEnded = false
        let waiting = lostLife.waiting
        lostLife.waiting = []
        for body in waiting { body(failure) }
    }
}
