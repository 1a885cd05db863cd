import CProcess
import Glibc
package import Reconciliation
import SidecarModel

// Spawns that wait for a file system which does not answer: a directory or a program on a dead mount.
extension ProcessHost {
    /// After so long the other spawns get a thread beside it, and it is looked at again.
    private static let relief = Duration.seconds(1)
    /// After so many looks it is given up, and its child killed. A mount that is made on demand takes less.
    private static let patience = 5

    /// While a spawn is under way; nothing wakes for it otherwise.
    func watchForHanging() {
        guard hangTimer == nil else { return }
        hangTimer = loop.schedule(at: loop.now + Self.relief) { [weak self] in self?.lookForHanging() }
    }

    private func lookForHanging() {
        hangTimer = nil
        guard let spawner else { return }
        let found = spawner.look(for: Self.relief, givesUpAfter: Self.patience)
        if found.held > 0 { spawner.relieve(held: found.held) }
        for id in found.givenUp { giveUp(id) }
        for id in found.unstarted {
            giveUp(
                id, step: .execute,
                "start it within \(Self.patience) s: all \(found.held) threads that start something "
                    + "wait for mounts that do not answer")
        }
        if isSpawning { watchForHanging() }
    }

    /// Something is being started. Those that were given up are waited for by nobody.
    var isSpawning: Bool { processes.contains { $0?.isSpawning ?? false } }

    private func giveUp(_ id: ProcessID) {
        let child = hangingChild(id)
        if let child { Self.kill(child) }
        let what = child == nil ? "find its program" : "enter its directory and execute its program"
        giveUp(
            id, step: child == nil ? .execute : .directory,
            "\(what) within \(Self.patience) s: one of them may be on a mount that does not answer")
    }

    private func giveUp(_ id: ProcessID, step: SpawnStep, _ what: String) {
        guard let process = process(id), case .spawning(let completion) = process.phase else { return }
        processes[Int(id.slot)]?.phase = .hanging
        hanging.insert(id)
        completion(.failure(SpawnFailure(step: step, message: "cannot \(what)")))
    }

    private static func kill(_ child: (pid: Int32, startTime: UInt64)) {
        let descriptor = orch_pidfd_open_proven(child.pid, child.startTime)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = orch_pidfd_signal(descriptor, SIGKILL)
    }

    /// A second one would hang beside it, on another thread.
    func refuseWhileHanging(_ request: ProcessRequest) throws(SpawnFailure) {
        guard !hanging.isEmpty else { return }
        let isHanging = hanging.contains { id in
            guard let process = process(id) else { return false }
            return process.kind == request.kind && process.name == request.name
        }
        guard !isHanging else {
            throw SpawnFailure(
                step: .directory, message: "an earlier start of it still waits for a mount that does not answer")
        }
    }

    /// What not even SIGKILL ends, as it waits in the kernel for a file system, with the instance it was to be.
    package var hangingSurvivors: [(name: String, survivor: Survivor)] {
        hanging.compactMap { id in
            guard let process = process(id), let child = hangingChild(id), let survivor = survivor(child.pid) else {
                return nil
            }
            return (process.name, survivor)
        }
    }

    private func hangingChild(_ id: ProcessID) -> (pid: Int32, startTime: UInt64)? {
        let slot = records.slot(id.slot)
        guard orch_slot_state(slot) == ORCH_SLOT_RUNNING, slot.pointee.generation == id.generation else { return nil }
        return (slot.pointee.pid, slot.pointee.start_time)
    }
}
