import CProcess
import Glibc

/// What a leader that ended has used, with all children it waited for, as its keeper put it on record.
package struct LastUsage: Hashable, Sendable {
    package var cpuMicroseconds: UInt64
    /// At its peak. Nil: less than its supervisor had in memory when it was cloned, which is all that can be known.
    package var maximumMemoryKiB: UInt64?
    /// It had no more than this.
    package var memoryBoundKiB: UInt64

    /// From the records at that path. Nil: it is not on record, or was not seen to its end by a keeper.
    package init?(records path: String, name: String, incarnation: UInt64) {
        let descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var records = orch_records()
        guard orch_records_map(descriptor, &records) == 0 else { return nil }
        defer { orch_records_unmap(&records) }
        guard let header = records.header else { return nil }
        for index in 0..<min(header.pointee.used_slots, UInt32(ORCH_SLOT_COUNT)) {
            // A slot keeps what it said until it is claimed again.
            guard let slot = orch_slot_at(&records, index), slot.pointee.incarnation == incarnation,
                slot.pointee.kind == UInt32(ORCH_KIND_SIDECAR), slot.pointee.exited_at_ns > 0,
                String(cString: orch_slot_name(slot)) == name
            else { continue }
            cpuMicroseconds = slot.pointee.cpu_time_us
            memoryBoundKiB = slot.pointee.max_rss_kib
            let isKnown = slot.pointee.flags & UInt32(ORCH_SLOT_PEAK_IS_KNOWN) != 0
            maximumMemoryKiB = isKnown ? memoryBoundKiB : nil
            return
        }
        return nil
    }
}
