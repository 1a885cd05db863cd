import CProcess
import Glibc

/// What lives of a project, supervised or not, by its spawn records and its mark. Looks only.
struct ProjectLife {
    let stateDirectory: String

    /// Whether the instance's process lives. Who has its port need not be one of ours then: some have another program
    /// open it for them, such as a container's.
    func runs(_ instance: String) -> Bool {
        look { records, header in
            (0..<min(header.used_slots, UInt32(ORCH_SLOT_COUNT))).contains { index in
                guard let slot = orch_slot_at(&records, index), orch_slot_state(slot) == UInt32(ORCH_SLOT_RUNNING),
                    slot.pointee.kind == UInt32(ORCH_KIND_SIDECAR), String(cString: orch_slot_name(slot)) == instance
                else { return false }
                return orch_process_lives(slot.pointee.pid, slot.pointee.start_time) != 0
            }
        } ?? false
    }

    /// Whether the process belongs to it: to what was started, also by a life whose records are lost, or to who supervises it.
    func includes(_ pid: Int32) -> Bool {
        let header = look { $1 }
        if let header, [header.keeper_pid, header.supervisor_pid].contains(pid) { return true }
        let nonce = header?.nonce ?? LostLifeSearch.nonce(ofNewRecordsIn: stateDirectory)
        return MarkedProcess.look(pid)?.nonces.contains(nonce) ?? false
    }

    /// Nil: there are no records of this boot that can be read.
    private func look<Answer>(_ body: (inout orch_records, orch_records_header) -> Answer) -> Answer? {
        let descriptor = open(stateDirectory + "/spawns", O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var records = orch_records()
        guard orch_records_map(descriptor, &records) == 0 else { return nil }
        defer { orch_records_unmap(&records) }
        guard let header = records.header?.pointee, header.boot_hash == orch_boot_hash() else { return nil }
        return body(&records, header)
    }
}
