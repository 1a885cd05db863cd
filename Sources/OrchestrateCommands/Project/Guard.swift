import CProcess
import Glibc
import StateStore

/// The guard of a project, seen from a command.
enum Guard {
    /// Waits while a guard ends what a lost keeper and supervisor left: its stop sequence is as good as any that could
    /// be begun beside it. At once when there is nothing to wait for. Answers whether it waited.
    @discardableResult
    static func awaitEnd(of location: ProjectLocation) -> Bool {
        let descriptor = open(location.spawnRecordsPath, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var records = orch_records()
        guard orch_records_map(descriptor, &records) == 0 else { return false }
        defer { orch_records_unmap(&records) }
        guard let header = records.header?.pointee, header.boot_hash == orch_boot_hash(),
            header.on_exit == UInt32(ORCH_ON_EXIT_STOP),
            !lives(header.keeper_pid, header.keeper_start_time), !lives(header.supervisor_pid, nil)
        else { return false }
        let guardian = orch_pidfd_open_proven(header.guard_pid, header.guard_start_time)
        guard guardian >= 0 else { return false }
        defer { close(guardian) }
        _ = Poll.wait(for: [guardian], timeout: nil)
        return true
    }

    /// With a start time: exactly that process. Without one: some process, to be on the safe side.
    private static func lives(_ pid: Int32, _ startTime: UInt64?) -> Bool {
        guard pid > 0 else { return false }
        let descriptor = startTime.map { orch_pidfd_open_proven(pid, $0) } ?? orch_pidfd_open(pid)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return orch_pidfd_has_ended(descriptor) == 0
    }
}
