import CProcess
import Glibc
import SidecarModel
import Supervision

/// Ends what an earlier life left running, before anything that could be in its way starts.
///
/// Confined to the loop's thread; the search itself is done elsewhere. Each process is held by a pidfd from the moment it
/// was proved to be the one that was found, so nothing else is ever signalled.
final class StaleSweeper {
    struct Outcome {
        var ended: [StaleProcess] = []
        var survivors: [StaleProcess] = []
        var leftAlone: [(process: StaleProcess, reason: String)] = []
    }

    private static let patience: Duration = .seconds(5)

    private final class Sweep {
        let signal: Signal
        let grace: Duration
        let completion: (Outcome) -> Void
        var outcome = Outcome()
        var roots: Set<Int32> = []
        var held: [Int32: (process: StaleProcess, descriptor: Int32, watch: EventLoop.WatchID)] = [:]
        var timer: EventLoop.TimerID?
        var hasSignalledRest = false

        init(signal: Signal, grace: Duration, completion: @escaping (Outcome) -> Void) {
            self.signal = signal
            self.grace = grace
            self.completion = completion
        }
    }

    private let loop: EventLoop
    private let host: ProcessHost

    init(loop: EventLoop, host: ProcessHost) {
        self.loop = loop
        self.host = host
    }

    /// The completion comes when nothing of what was found lives, or not all of it can be ended.
    func run(
        signal: Signal, grace: Duration, search: @escaping @Sendable () -> StaleSearch.Result,
        completion: @escaping (Outcome) -> Void
    ) {
        let poster = loop.poster
        // Only handed through the spawner's thread: they are used again on the loop's, where `post` brings them.
        nonisolated(unsafe) let (sweeper, sweep) = (self, Sweep(signal: signal, grace: grace, completion: completion))
        host.perform {
            let result = search()
            poster.post { sweeper.begin(sweep, result) }
        }
    }

    private func begin(_ sweep: Sweep, _ result: StaleSearch.Result) {
        sweep.outcome.leftAlone = result.leftAlone
        sweep.roots = Set(result.found.map(\.pid))
        for process in result.found { hold(process, in: sweep, depth: 0) }
        for pid in sweep.roots { signal(pid, sweep.signal, in: sweep) }
        sweep.timer = loop.schedule(at: loop.now + sweep.grace) { [self] in kill(sweep) }
        look(sweep)
    }

    /// With what descends from it, while that can still be seen.
    private func hold(_ process: StaleProcess, in sweep: Sweep, depth: Int) {
        guard sweep.held[process.pid] == nil, depth < 64 else { return }
        let descriptor = orch_pidfd_open_proven(process.pid, process.startTime)
        guard descriptor >= 0 else { return }
        guard
            let watch = try? loop.watch(
                descriptor, .read,
                handler: { [self] _ in
                    end(process.pid, in: sweep)
                    look(sweep)
                })
        else {
            close(descriptor)
            sweep.outcome.survivors.append(process)
            return
        }
        sweep.held[process.pid] = (process, descriptor, watch)
        var children = [Int32](repeating: 0, count: 512)
        let count = orch_children(process.pid, &children, children.count)
        for pid in children.prefix(max(0, count)) {
            var facts = orch_process_facts()
            guard orch_process_look(pid, &facts) == 0, facts.parent == process.pid else { continue }
            hold(
                StaleProcess(pid: pid, startTime: facts.start_time, executable: process.executable), in: sweep,
                depth: depth + 1)
        }
    }

    private func signal(_ pid: Int32, _ signal: Signal, in sweep: Sweep) {
        guard let held = sweep.held[pid] else { return }
        _ = orch_pidfd_signal(held.descriptor, signal.number)
        // One that was stopped takes no other signal than SIGKILL before it goes on.
        if signal != .kill { _ = orch_pidfd_signal(held.descriptor, SIGCONT) }
    }

    private func end(_ pid: Int32, in sweep: Sweep) {
        guard let held = sweep.held.removeValue(forKey: pid) else { return }
        loop.unwatch(held.watch)
        close(held.descriptor)
        if sweep.roots.remove(pid) != nil { sweep.outcome.ended.append(held.process) }
    }

    private func look(_ sweep: Sweep) {
        if sweep.held.isEmpty { return finish(sweep) }
        guard sweep.roots.isEmpty, !sweep.hasSignalledRest else { return }
        sweep.hasSignalledRest = true
        for pid in sweep.held.keys { signal(pid, sweep.signal, in: sweep) }
    }

    private func kill(_ sweep: Sweep) {
        for pid in sweep.held.keys { signal(pid, .kill, in: sweep) }
        sweep.timer = loop.schedule(at: loop.now + Self.patience) { [self] in
            for held in sweep.held.values {
                sweep.outcome.survivors.append(held.process)
                loop.unwatch(held.watch)
                close(held.descriptor)
            }
            sweep.held = [:]
            finish(sweep)
        }
    }

    private func finish(_ sweep: Sweep) {
        if let timer = sweep.timer { loop.cancel(timer) }
        sweep.timer = nil
        sweep.completion(sweep.outcome)
    }
}
