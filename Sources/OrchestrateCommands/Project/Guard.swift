import CProcess
import Glibc
import StateStore

/// The guard of a project, seen from a command.
enum Guard {
    /// Waits while a guard ends what a lost keeper and supervisor left: its stop sequence is as good as any that could
    /// be begun beside it. At once when there is nothing to wait for.
    /// - Parameter check: throws what ends the wait; asked now and then, as a signal may be blocked and seen by no poll.
    static func awaitEnd(of location: ProjectLocation, _ check: () throws -> Void) rethrows {
        guard let header = LivingSidecars.header(of: location), header.on_exit == UInt32(ORCH_ON_EXIT_STOP),
            orch_process_lives(header.keeper_pid, header.keeper_start_time) == 0,
            !mayLive(supervisor: header.supervisor_pid)
        else { return }
        let guardian = orch_pidfd_open_proven(header.guard_pid, header.guard_start_time)
        guard guardian >= 0 else { return }
        defer { close(guardian) }
        while Poll.wait(for: [guardian], timeout: .milliseconds(100)).isEmpty { try check() }
    }

    /// When it started is not on record: whatever has its pid counts, to be on the safe side.
    private static func mayLive(supervisor pid: Int32) -> Bool {
        let descriptor = pid > 0 ? orch_pidfd_open(pid) : -ESRCH
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return orch_pidfd_has_ended(descriptor) == 0
    }
}
