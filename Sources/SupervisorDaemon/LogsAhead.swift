import Reconciliation
import SidecarModel
import Supervision

/// Makes the FIFOs of instances that wait for others meanwhile, and not between the moment those are ready and the start.
final class LogsAhead {
    private let poster: LoopPoster
    private let host: ProcessHost
    private let logs: LogPump
    /// Came to wait in this turn.
    private var waiting: [InstanceIndex] = []
    /// Wait, and have their FIFOs or get them now.
    private var made: Set<InstanceIndex> = []

    init(poster: LoopPoster, host: ProcessHost, logs: LogPump) {
        self.poster = poster
        self.host = host
        self.logs = logs
    }

    func note(_ announcements: [Engine.Announcement]) {
        for announcement in announcements {
            let transition = announcement.transition
            if transition.to == .waiting {
                waiting.append(transition.instance)
            } else {
                made.remove(transition.instance)
            }
        }
    }

    func forget(_ index: InstanceIndex) { made.remove(index) }

    /// To be called once all is decided: what was decided to start does not wait any more.
    func make(for engine: Engine) {
        for index in waiting {
            guard engine.reconciler.stateName(of: index) == .waiting, let name = engine.name(of: index),
                let spec = engine.reconciler.spec(of: index), spec.program != nil
            else { continue }
            if made.insert(index).inserted { make(index, name, spec.logs) }
        }
        waiting.removeAll(keepingCapacity: waiting.capacity <= 64)
    }

    private func make(_ index: InstanceIndex, _ name: InstanceName, _ spec: LogSpec) {
        let (logs, poster, instance, key) = (logs, poster, name.logInstance, name.holdKey)
        // Only handed through the spawner's thread: it is used again on the loop's, where `post` brings it.
        nonisolated(unsafe) let ahead = self
        host.performWhenIdle {
            logs.prepare(instance, spec: spec)
            poster.post {
                // Those of one that was retired meanwhile are nobody's, until there is an instance of that name again.
                guard ahead.made.contains(index) else { return }
                let readEnds = logs.newReadEnds(of: instance)
                if !readEnds.isEmpty { ahead.host.hold(key: key, readEnds) }
            }
        }
    }
}
