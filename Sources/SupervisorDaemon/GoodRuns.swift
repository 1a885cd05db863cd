import ControlAPI
import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

/// What each sidecar was last well with, noted for crash reports: they tell what has changed since.
final class GoodRuns {
    /// What depends on a sidecar that is well is not kept waiting by a note of it.
    private static let delay = Duration.milliseconds(300)

    private let loop: EventLoop
    private let journal: Journal
    /// By sidecar, all keys together: the same is noted once.
    private var known: [String: [KeyFingerprint]] = [:]
    private var unstored: [GoodRunRow] = []
    private var timer: EventLoop.TimerID?

    init(loop: EventLoop, journal: Journal) {
        self.loop = loop
        self.journal = journal
    }

    func note(_ transition: Transition, of sidecar: String, _ spec: SidecarSpec, clock: WallClock) {
        guard known.updateValue(spec.fingerprints, forKey: sidecar) != spec.fingerprints else { return }
        unstored.append(
            GoodRunRow(
                sidecar: sidecar, atWall: clock.timestamp(transition.at).microseconds,
                fingerprints: spec.fingerprints.map { (key: $0.key, value: $0.value) }))
        if timer == nil { timer = loop.schedule(at: loop.now + Self.delay) { [unowned self] in store() } }
    }

    /// Now, and not soon.
    func store() { journal.commit(Journal.Turn(goodRuns: take()), clock: WallClock()) }

    /// To be stored with something else.
    func take() -> [GoodRunRow] {
        if let timer { loop.cancel(timer) }
        timer = nil
        defer { unstored = [] }
        return unstored
    }
}
