import CProcess
import Glibc
import SidecarModel

// Taking up what an earlier supervisor, or an earlier keeper, left running.
extension ProcessHost {
    /// All that is on record, once, before the first spawn. What is alive is watched from here on: it will exit, be
    /// cleared and released like any other. Records of attempts that never ran are freed.
    package func adopt() -> [AdoptedProcess] {
        (0..<records.usedSlots).compactMap { slot in
            switch Int(records.state(slot)) {
            case ORCH_SLOT_RUNNING: adoptRunning(slot)
            case ORCH_SLOT_EXITED: adoptExited(slot, records.exitStatus(slot))
            case ORCH_SLOT_CLAIMED, ORCH_SLOT_FAILED:
                forget(slot)
            case _: nil
            }
        }
    }

    private func forget(_ slot: UInt32) -> AdoptedProcess? {
        let pid = records.slot(slot).pointee.pid
        if records.state(slot) == ORCH_SLOT_FAILED, pid > 0, isKeepers(slot) {
            link?.send(ORCH_MESSAGE_RELEASE, slot: slot, pid: pid)
        } else {
            records.setState(slot, ORCH_SLOT_FREE)
        }
        // It was made before there could be a process.
        let id = ProcessID(slot: slot, generation: records.slot(slot).pointee.generation)
        if let groups { spawner?.remove(id, in: groups) }
        giveBack(slot)
        return nil
    }

    private func isKeepers(_ slot: UInt32) -> Bool {
        let keeper = records.slot(slot).pointee.keeper
        return hasKeeper && keeper != 0 && keeper == orch_records_keeper(&records.raw)
    }

    private func adoptRunning(_ slot: UInt32) -> AdoptedProcess? {
        let record = records.slot(slot).pointee
        // The keeper holds its own child's number, and tells when it ends, even if that was just now.
        let descriptor =
            isKeepers(slot) ? orch_pidfd_open(record.pid) : orch_pidfd_open_proven(record.pid, record.start_time)
        guard descriptor >= 0 else {
            return adoptExited(slot, ExitStatus(ofZombie: record.pid, startedAt: record.start_time) ?? .unknown)
        }
        let process = enter(slot, phase: .running, descriptor: descriptor)
        if process.custody == .stranger { watchLeader(process.id) }
        return adopted(process, .alive(pid: process.pid))
    }

    private func adoptExited(_ slot: UInt32, _ status: ExitStatus) -> AdoptedProcess? {
        let process = enter(slot, phase: .exited(status), descriptor: -1)
        return adopted(process, .exited(status))
    }

    private func enter(_ slot: UInt32, phase: HostedProcess.Phase, descriptor: Int32) -> HostedProcess {
        let record = records.slot(slot).pointee
        let process = HostedProcess(
            id: ProcessID(slot: slot, generation: record.generation), name: records.name(slot),
            kind: ProcessKind(rawValue: record.kind) ?? .sidecar, phase: phase,
            custody: isKeepers(slot) ? .keeper : .stranger, pid: record.pid, descriptor: descriptor,
            mark: record.mark, isInGroup: record.flags & UInt32(ORCH_SLOT_IN_CGROUP) != 0 && groups != nil)
        place(process)
        return process
    }

    private func adopted(_ process: HostedProcess, _ condition: AdoptedProcess.Condition) -> AdoptedProcess {
        AdoptedProcess(
            id: process.id, name: process.name, kind: process.kind,
            incarnation: records.slot(process.id.slot).pointee.incarnation, condition: condition)
    }
}
