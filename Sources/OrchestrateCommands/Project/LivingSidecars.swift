import CProcess
import ControlClient
import Glibc
import StateStore
import Supervision

/// What the spawn records say of a project whose supervisor does not answer. Looks only: nothing is created, moved or
/// signalled.
enum LivingSidecars {
    /// Whether processes live though nobody supervises them. Records that can't be opened count as a sign of life, so
    /// that a supervisor is started to look closer.
    static func exist(in location: ProjectLocation) -> Bool {
        switch look(at: location, { records, header in (live: someLive(&records, header), header: header) }) {
        // Of records that are new, and whose supervisor did not come to look for what was before them.
        case .success((false, let header)) where header.must_search != 0: someAreLost(of: location)
        case .success((let live, _)): live
        case .failure(.absent), .failure(.unreadable): someAreLost(of: location)
        case .failure(.ofAnotherBoot): false
        case .failure(.closed): true
        }
    }

    /// Whether something lives for sure: a lock is held, a leader lives, or a process has the project's mark. What was only
    /// not seen to its end may be over.
    static func surelyExist(in location: ProjectLocation) -> Bool {
        if SupervisorStarter.isHeld(location.lockPath) { return true }
        let hasLeader = look(at: location) { records, header in hasLivingLeader(&records, header) }
        return (try? hasLeader.get()) == true || someAreLost(of: location)
    }

    private static func hasLivingLeader(_ records: inout orch_records, _ header: orch_records_header) -> Bool {
        for index in 0..<min(header.used_slots, UInt32(ORCH_SLOT_COUNT)) {
            guard let slot = orch_slot_at(&records, index) else { continue }
            if orch_process_lives(slot.pointee.pid, slot.pointee.start_time) != 0 { return true }
        }
        return false
    }

    /// What a life that lost its records left shows by its mark.
    private static func someAreLost(of location: ProjectLocation) -> Bool {
        LostLifeSearch(stateDirectory: location.stateDirectory).findsAny
    }

    /// Whether the supervisor ended too often within a minute, and its keeper waits before it tries again.
    static func haveBrokenSupervisor(in location: ProjectLocation) -> Bool {
        guard let header = header(of: location) else { return false }
        return Int(header.supervisor_state) == ORCH_SUPERVISOR_BROKEN
            && orch_process_lives(header.keeper_pid, header.keeper_start_time) != 0
    }

    /// The pid of the keeper that lives. Nil: none does.
    static func keeper(in location: ProjectLocation) -> Int32? {
        guard let header = header(of: location), orch_process_lives(header.keeper_pid, header.keeper_start_time) != 0
        else { return nil }
        return header.keeper_pid
    }

    /// Why its keeper does nothing. Nil: it seems well, or there is none.
    static func keeperStandstill(in location: ProjectLocation) -> String? {
        Silence.standstill(ofKeeper: keeper(in: location))
    }

    /// Whether the supervisor ended too often while nothing ran, and its keeper with it.
    static func supervisionWasGivenUp(in location: ProjectLocation) -> Bool {
        guard let header = header(of: location) else { return false }
        return Int(header.supervisor_state) == ORCH_SUPERVISOR_BROKEN && header.keeper_pid == 0
    }

    /// What the records say of keeper and supervisor. Nil: there are none that can be read, or of another boot.
    static func header(of location: ProjectLocation) -> orch_records_header? {
        try? look(at: location) { _, header in header }.get()
    }

    private static func someLive(_ records: inout orch_records, _ header: orch_records_header) -> Bool {
        for index in 0..<min(header.used_slots, UInt32(ORCH_SLOT_COUNT)) {
            guard let slot = orch_slot_at(&records, index) else { continue }
            // Any other state is a life that was not seen to its end: whether its leader or a child of it still runs,
            // a supervisor finds out.
            let state = Int(orch_slot_state(slot))
            if state != Int(ORCH_SLOT_FREE), state != Int(ORCH_SLOT_FAILED) { return true }
        }
        return false
    }

    private enum Obstacle: Error {
        case absent
        case closed
        /// Damaged, or of another format.
        case unreadable
        /// Nothing in it lives.
        case ofAnotherBoot
    }

    private static func look<Answer>(
        at location: ProjectLocation, _ body: (inout orch_records, orch_records_header) -> Answer
    ) -> Result<Answer, Obstacle> {
        let descriptor = open(location.spawnRecordsPath, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(errno == ENOENT || errno == ENOTDIR ? .absent : .closed) }
        defer { close(descriptor) }
        var records = orch_records()
        guard orch_records_view(descriptor, &records) == 0 else { return .failure(.unreadable) }
        defer { orch_records_unmap(&records) }
        guard let header = records.header, header.pointee.boot_hash == orch_boot_hash() else {
            return .failure(.ofAnotherBoot)
        }
        return .success(body(&records, header.pointee))
    }
}
