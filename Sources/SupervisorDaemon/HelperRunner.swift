import Reconciliation
import SidecarModel
import Supervision

/// Runs the processes that serve a sidecar — hooks and exec probes — each with a hard timeout, and ends what it leaves
/// behind as it would a sidecar's. Confined to the loop's thread.
final class HelperRunner {
    enum Outcome {
        case exited(ExitStatus)
        case timedOut
        case failed(SpawnFailure)
        case cancelled
    }

    struct ID: Hashable { fileprivate var number: UInt64 }

    private struct Run {
        var process: ProcessID?
        var timer: EventLoop.TimerID?
        var outcome: Outcome?
        /// It belongs to a stop's grace.
        var endsWithGrace: Bool
        var completion: (Outcome) -> Void
    }

    private let loop: EventLoop
    private let host: ProcessHost
    private var runs: [ID: Run] = [:]
    private var owners: [ProcessID: ID] = [:]
    /// Of an earlier supervisor: nobody waits for what they say.
    private var orphans: Set<ProcessID> = []
    private var last: UInt64 = 0
    /// How fast all has to end. Nil: nothing has to.
    private var pace: Hurry?
    /// Called when the last run is over.
    var onIdle: () -> Void = {}

    init(loop: EventLoop, host: ProcessHost) {
        self.loop = loop
        self.host = host
    }

    var isIdle: Bool { runs.isEmpty && orphans.isEmpty }

    /// The completion comes once, when nothing of the process is left.
    @discardableResult
    func run(
        _ request: ProcessRequest, timeout: Duration, endsWithGrace: Bool = false,
        completion: @escaping (Outcome) -> Void
    ) -> ID {
        last += 1
        let id = ID(number: last)
        guard pace != .killNow else {
            completion(.cancelled)
            return id
        }
        runs[id] = Run(endsWithGrace: endsWithGrace, completion: completion)
        host.spawn(request) { [weak self] result in self?.spawned(id, result, timeout: timeout) }
        return id
    }

    /// Ends it now. Its completion says `cancelled`, when it is gone.
    func cancel(_ id: ID) { end(id, as: .cancelled) }

    /// What takes up the grace has none any more; at last nothing goes on, and nothing is begun.
    func hurry(_ pace: Hurry) {
        self.pace = pace
        for (id, run) in runs where run.endsWithGrace || pace == .killNow { cancel(id) }
    }

    /// The project goes on after all.
    func calm() { pace = nil }

    /// Ends what an earlier supervisor ran and nobody waits for any more.
    func endAdopted(_ process: ProcessID) {
        orphans.insert(process)
        host.kill(process)
    }

    private func spawned(_ id: ID, _ result: Result<SpawnedProcess, SpawnFailure>, timeout: Duration) {
        switch result {
        case .failure(let failure):
            if runs[id]?.outcome == nil { runs[id]?.outcome = .failed(failure) }
            complete(id)
        case .success(let spawned):
            let process = spawned.id
            runs[id]?.process = process
            owners[process] = id
            if runs[id]?.outcome != nil {
                host.kill(process)
            } else {
                runs[id]?.timer = loop.schedule(at: loop.now + timeout) { [weak self] in self?.end(id, as: .timedOut) }
            }
        }
    }

    private func end(_ id: ID, as outcome: Outcome) {
        guard let run = runs[id], run.outcome == nil else { return }
        runs[id]?.outcome = outcome
        if let process = run.process { host.kill(process) }
    }

    /// True when the process was one of these.
    func exited(_ process: ProcessID, _ status: ExitStatus) -> Bool {
        guard let id = owners[process] else { return orphans.contains(process) }
        if runs[id]?.outcome == nil {
            runs[id]?.outcome = .exited(status)
            host.clear(process, .terminate)
            if let timer = runs[id]?.timer { loop.cancel(timer) }
            runs[id]?.timer = loop.schedule(at: loop.now + .seconds(2)) { [weak self] in self?.host.kill(process) }
        }
        return true
    }

    func emptied(_ process: ProcessID) -> Bool {
        if orphans.remove(process) != nil {
            host.release(process)
            if isIdle { onIdle() }
            return true
        }
        guard let id = owners[process] else { return false }
        host.release(process)
        owners[process] = nil
        complete(id)
        return true
    }

    private func complete(_ id: ID) {
        guard let run = runs.removeValue(forKey: id) else { return }
        if let timer = run.timer { loop.cancel(timer) }
        run.completion(run.outcome ?? .cancelled)
        if isIdle { onIdle() }
    }
}
