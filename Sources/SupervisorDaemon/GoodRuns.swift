import ControlAPI
import Planning
import Reconciliation
import SidecarModel
import StateStore

/// What each sidecar was last well with, noted for crash reports: they tell what has changed since.
struct GoodRuns {
    /// By sidecar, all keys together: the same is noted once.
    private var known: [String: [KeyFingerprint]] = [:]
    /// Not stored yet. No start waits for it.
    private(set) var unstored: [GoodRunRow] = []

    mutating func note(_ transition: Transition, of sidecar: String, _ spec: SidecarSpec, clock: WallClock) {
        guard known.updateValue(spec.fingerprints, forKey: sidecar) != spec.fingerprints else { return }
        unstored.append(
            GoodRunRow(
                sidecar: sidecar, atWall: clock.timestamp(transition.at).microseconds,
                fingerprints: spec.fingerprints.map { (key: $0.key, value: $0.value) }))
    }

    mutating func take() -> [GoodRunRow] {
        defer { unstored = [] }
        return unstored
    }
}
