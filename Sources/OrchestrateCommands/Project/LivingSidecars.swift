import CProcess
import Glibc
import StateStore

/// Whether processes of a project live though nobody supervises them, by their spawn records.
enum LivingSidecars {
    /// Looks only: nothing is created, moved or signalled. A record that can't be read counts as a sign of life, so
    /// that a supervisor is started to look closer.
    static func exist(in location: ProjectLocation) -> Bool {
        let descriptor = open(location.spawnRecordsPath, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return errno != ENOENT && errno != ENOTDIR }
        defer { close(descriptor) }
        var records = orch_records()
        guard orch_records_map(descriptor, &records) == 0 else { return false }
        defer { orch_records_unmap(&records) }
        guard let header = records.header, header.pointee.boot_hash == orch_boot_hash() else { return false }
        for index in 0..<min(header.pointee.used_slots, UInt32(ORCH_SLOT_COUNT)) {
            guard let slot = orch_slot_at(&records, index) else { continue }
            // Any other state is a life that was not seen to its end: whether its leader or a child of it still runs,
            // a supervisor finds out.
            let state = Int(orch_slot_state(slot))
            if state != Int(ORCH_SLOT_FREE), state != Int(ORCH_SLOT_FAILED) { return true }
        }
        return false
    }
}
