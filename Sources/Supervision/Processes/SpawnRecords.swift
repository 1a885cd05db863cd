import CProcess
import Glibc
import SidecarModel

/// The mapped file of spawn records, shared with the keeper and, between clone and exec, with each child.
///
/// `@unchecked Sendable`: the mapping lives as long as this object; a slot's fields are written by one side at a time,
/// and its state, by which they are handed over, is atomic.
package final class SpawnRecords: @unchecked Sendable {
    var raw: orch_records

    /// Takes over the descriptor.
    package init(descriptor: Int32) throws(SystemError) {
        raw = orch_records(header: nil, slots: nil, fd: -1)
        let failure = orch_records_map(descriptor, &raw)
        guard failure == 0 else { throw SystemError(call: "map the spawn records", errno: -failure) }
    }

    /// Opens or creates the file in the directory, for a supervisor without a keeper.
    package init(directory: String) throws(SystemError) {
        raw = orch_records(header: nil, slots: nil, fd: -1)
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open \(directory)") }
        defer { close(descriptor) }
        let failure = orch_records_open(descriptor, &raw)
        guard failure == 0 else { throw SystemError(call: "open the spawn records", errno: -failure) }
    }

    deinit {
        orch_records_unmap(&raw)
        if raw.fd >= 0 { close(raw.fd) }
    }

    var usedSlots: UInt32 { raw.header.pointee.used_slots }
    var nonce: UInt32 { raw.header.pointee.nonce }
    var keeperPID: Int32 { raw.header.pointee.keeper_pid }

    /// It ended too often within a minute, and not long ago.
    var supervisorIsBroken: Bool {
        let broken = raw.header.pointee.broken_at_ns
        return broken != 0 && Instant.now - Instant(nanoseconds: broken) < .seconds(60)
    }

    func nextGeneration(_ slot: UInt32) -> UInt32 { orch_slot_next_generation(&raw, slot) }

    /// Whether it is the mark of what a slot was used for last.
    func names(_ mark: UInt64) -> Bool {
        var slot: UInt32 = 0
        return orch_mark_slot(&raw, mark, &slot) != 0
    }

    /// There is no keeper: what is started from now on is no keeper's child.
    func disownKeeper() {
        raw.header.pointee.keeper_pid = 0
        raw.header.pointee.keeper_start_time = 0
    }

    /// What an earlier keeper left was to be ended with it, and that is still to be done.
    var mustEnd: Bool {
        get { raw.header.pointee.must_end != 0 }
        set { raw.header.pointee.must_end = newValue ? 1 : 0 }
    }

    /// A life before these records may have left something running.
    var mustSearch: Bool {
        get { raw.header.pointee.must_search != 0 }
        set { raw.header.pointee.must_search = newValue ? 1 : 0 }
    }

    func setOnExit(_ value: Int) { raw.header.pointee.on_exit = UInt32(value) }

    func setStop(_ stop: StopRecord, of index: UInt32) { slot(index).pointee.stop = stop.raw }

    /// There is one for every slot below `ORCH_SLOT_COUNT`.
    func slot(_ index: UInt32) -> UnsafeMutablePointer<orch_slot> {
        precondition(index < ORCH_SLOT_COUNT)
        return raw.slots + Int(index)
    }

    func state(_ index: UInt32) -> UInt32 { orch_slot_state(slot(index)) }

    func setState(_ index: UInt32, _ state: Int) { orch_slot_set_state(slot(index), UInt32(state)) }

    func name(_ index: UInt32) -> String { String(cString: orch_slot_name(slot(index))) }

    func exitStatus(_ index: UInt32) -> ExitStatus {
        let slot = slot(index).pointee
        return ExitStatus(kind: slot.exit_kind, value: slot.exit_value)
    }

    /// Where the processes' cgroups are, as a path under a mount of cgroup2.
    var controlGroup: String { String(cString: orch_records_cgroup(&raw)) }

    func setControlGroup(_ path: String) -> Bool { orch_records_set_cgroup(&raw, path) == 0 }
}

extension ExitStatus {
    /// From what waitid says: `si_code` and `si_status`.
    init(kind: Int32, value: Int32) {
        self = kind == Int32(CLD_EXITED) ? .code(value) : .signal(Signal(number: value))
    }

    /// Of a process that is no child and has ended. Nil where the kernel can't tell: before 6.15, and of another user's
    /// until its parent has reaped it.
    package init?(ofEnded descriptor: Int32) {
        var kind: Int32 = 0
        var value: Int32 = 0
        guard orch_pidfd_exit_status(descriptor, &kind, &value) == 0 else { return nil }
        self.init(kind: kind, value: value)
    }

    /// The same, waiting for another user's process to be reaped by whoever has it by now: some take their time.
    package init?(awaitingReapOf descriptor: Int32) {
        if let known = ExitStatus(ofEnded: descriptor) {
            self = known
            return
        }
        // Its being reaped shows as a hang-up.
        var end = pollfd(fd: descriptor, events: 0, revents: 0)
        guard descriptor >= 0, poll(&end, 1, 5000) > 0, let told = ExitStatus(ofEnded: descriptor) else { return nil }
        self = told
    }

    /// Nil when somebody has reaped it, or the kernel can't tell.
    init?(ofZombie pid: Int32, startedAt startTime: UInt64) {
        var kind: Int32 = 0
        var value: Int32 = 0
        guard orch_process_exit_status(pid, startTime, &kind, &value) == 0 else { return nil }
        self.init(kind: kind, value: value)
    }
}
