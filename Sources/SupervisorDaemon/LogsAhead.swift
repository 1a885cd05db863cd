import Reconciliation
import SidecarModel
import Supervision

/// Makes the FIFOs of instances that wait for others meanwhile, and not between the moment those are ready and the start.
final class LogsAhead {
    /// What waits for ever is not to take the descriptors of what starts.
    private static let most = 256

    private let poster: LoopPoster
    private let host: ProcessHost
    private let logs: LogPump
    private let isDeclared: (InstanceName) -> Bool
    /// Came to wait in this turn.
    private var waiting: [InstanceIndex] = []
    /// Wait, and have their FIFOs or get them now.
    private var made: Set<InstanceName> = []

    init(poster: LoopPoster, host: ProcessHost, logs: LogPump, isDeclared: @escaping (InstanceName) -> Bool) {
        self.poster = poster
        self.host = host
        self.logs = logs
        self.isDeclared = isDeclared
    }

    func note(_ announcements: [Engine.Announcement]) {
        for announcement in announcements {
            let transition = announcement.transition
            if transition.to == .waiting {
                waiting.append(transition.instance)
            } else {
                made.remove(announcement.name)
            }
        }
    }

    func forget(_ name: InstanceName) { made.remove(name) }

    /// To be called once all is decided: what was decided to start does not wait any more.
    func make(for engine: Engine) {
        for index in waiting where made.count < Self.most {
            guard engine.reconciler.stateName(of: index) == .waiting, let name = engine.name(of: index),
                let spec = engine.reconciler.spec(of: index), spec.program != nil
            else { continue }
            if made.insert(name).inserted { make(name, spec.logs) }
        }
        waiting.removeAll(keepingCapacity: waiting.capacity <= 64)
    }

    private func make(_ name: InstanceName, _ spec: LogSpec) {
        let (logs, poster, instance) = (logs, poster, name.logInstance)
        // Only handed through the spawner's thread: it is used again on the loop's, where `post` brings it.
        nonisolated(unsafe) let ahead = self
        host.performWhenIdle {
            logs.prepare(instance, spec: spec)
            poster.post { ahead.prepared(name) }
        }
    }

    private func prepared(_ name: InstanceName) {
        guard isDeclared(name) else {
            // Retired meanwhile: nobody else would take them away.
            return logs.retire(name.logInstance)
        }
        // One that was started meanwhile has told of them itself.
        let readEnds = logs.newReadEnds(of: name.logInstance)
        if !readEnds.isEmpty { host.hold(key: name.holdKey, readEnds) }
    }
}
