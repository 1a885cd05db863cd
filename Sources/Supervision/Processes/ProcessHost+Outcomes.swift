import CProcess
import Glibc
import SidecarModel

/// Spawns whose outcome was not taken in yet.
struct OrderedSpawns {
    private(set) var count = 0
    /// So many of them are waited for.
    private(set) var awaited = 0
    /// While there are several.
    var timer: (id: EventLoop.TimerID, due: Instant)?

    mutating func add(isAwaited: Bool) {
        count += 1
        if isAwaited { awaited += 1 }
    }

    mutating func remove(isAwaited: Bool) {
        count -= 1
        if isAwaited { awaited -= 1 }
    }
}

// What has come of the spawns.
extension ProcessHost {
    /// The longest an outcome waits for others while spawns wait for a thread: one turn of the engine, and one commit,
    /// for many. Where nobody waits for any of them, the processors are better left to what is being started.
    private static let (batch, unawaitedBatch) = (Duration.milliseconds(5), Duration.milliseconds(200))

    /// While spawns wait for a thread, nobody rings for what has come of those before them.
    func watchOutcomes() {
        guard ordered.count > 1 else { return }
        let due = loop.now + (ordered.awaited > 0 ? Self.batch : Self.unawaitedBatch)
        if let timer = ordered.timer {
            guard due < timer.due else { return }
            loop.cancel(timer.id)
        }
        let id = loop.schedule(at: due) { [weak self] in self?.hearOutcomes() }
        ordered.timer = (id, due)
    }

    private func hearOutcomes() {
        ordered.timer = nil
        // Asked before they are looked for once more: what is answered later is rung for where none waits.
        if spawner?.hasWaiting ?? false, isSpawning { watchOutcomes() }
        ringForOutcomes()
    }

    func take(_ outcome: Spawner.Outcome) {
        ordered.remove(isAwaited: outcome.isAwaited)
        if ordered.count == 0 {
            if let hangTimer { loop.cancel(hangTimer) }
            hangTimer = nil
            if let timer = ordered.timer { loop.cancel(timer.id) }
            ordered.timer = nil
        }
        finishSpawn(outcome)
    }

    private func finishSpawn(_ outcome: Spawner.Outcome) {
        guard let process = process(outcome.id) else { return }
        let completion: (Result<SpawnedProcess, SpawnFailure>) -> Void
        switch process.phase {
        case .spawning(let asked): completion = asked
        case .hanging: completion = { [unowned self] in if case .success(let found) = $0 { onUnwanted(found.id) } }
        case .running, .exited: return
        }
        let slot = Int(outcome.id.slot)
        if let failure = outcome.failure {
            hanging.remove(outcome.id)
            processes[slot] = nil
            buryFailed(outcome, custody: process.custody)
            completion(.failure(failure))
            return
        }
        processes[slot]?.pid = outcome.pid
        processes[slot]?.descriptor = outcome.descriptor
        processes[slot]?.phase = .running
        processes[slot]?.mark = records.slot(outcome.id.slot).pointee.mark
        if process.custody == .keeper {
            if hasKeeper {
                link?.send(ORCH_MESSAGE_SPAWNED, slot: outcome.id.slot, pid: outcome.pid)
            } else {
                processes[slot]?.custody = .stranger
            }
        }
        completion(.success(SpawnedProcess(id: outcome.id, pid: outcome.pid)))
        if let status = process.earlyExit {
            leaderEnded(outcome.id, status)
        } else if self.process(outcome.id)?.custody != .keeper {
            watchLeader(outcome.id)
        }
    }

    private func buryFailed(_ outcome: Spawner.Outcome, custody: HostedProcess.Custody) {
        let slot = outcome.id.slot
        if outcome.pid > 0, custody == .keeper, hasKeeper {
            link?.send(ORCH_MESSAGE_RELEASE, slot: slot, pid: outcome.pid)
        } else {
            if outcome.pid > 0, custody == .own { reapFailed(outcome.descriptor) }
            records.setState(slot, ORCH_SLOT_FREE)
        }
        if outcome.descriptor >= 0 { close(outcome.descriptor) }
        giveBack(slot)
    }

    private func reapFailed(_ descriptor: Int32) {
        var status = siginfo_t()
        // It said that it could not go on, and does nothing after that but exit.
        while waitid(idtype_t(UInt32(3)), id_t(UInt32(bitPattern: descriptor)), &status, WEXITED) != 0, errno == EINTR {
        }
    }
}
