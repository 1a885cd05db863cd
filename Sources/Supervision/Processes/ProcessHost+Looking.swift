import CProcess
import Glibc
package import Reconciliation
package import SidecarModel

// Who belongs to whom.
extension ProcessHost {
    /// What a process that is started is limited to by itself.
    package var ownLimits: [LimitSpec] {
        LimitName.allCases.compactMap { name in
            var pair = orch_limit(number: name.number, soft: 0, hard: 0)
            guard orch_limit_look(&pair) == 0 else { return nil }
            let isRaised = name == .openFiles && descriptorLimit > 0
            return LimitSpec(name, soft: isRaised ? min(descriptorLimit, pair.hard) : pair.soft, hard: pair.hard)
        }
    }

    /// The leader and all other processes of it that live now.
    package func members(of id: ProcessID) -> [Int32] { members(of: [id])[id] ?? [] }

    /// The same of many: without cgroups every process of the machine has to be looked at, and once is enough for all.
    package func members(of ids: [ProcessID]) -> [ProcessID: [Int32]] { foundMembers(of: ids) ?? [:] }

    /// Nil: who there is can't be found out now.
    func foundMembers(of ids: [ProcessID]) -> [ProcessID: [Int32]]? { memberSearch(of: ids).run() }

    /// What `members(of:)` does, to be done on another thread: for many it takes long.
    package func memberSearch(of ids: [ProcessID]) -> MemberSearch {
        var search = MemberSearch(groups: groups, nonce: records.nonce)
        for id in ids {
            guard let process = process(id) else { continue }
            if process.isInGroup, groups != nil {
                search.inGroups.append(id)
            } else {
                search.byMark[process.mark] = id
                let leader = sessionLeader(process)
                if leader > 0 { search.byLeader[leader] = id }
            }
        }
        return search
    }

    /// Who lives of it, and what they wait for.
    package func survivors(of id: ProcessID) -> [Survivor] {
        members(of: id).compactMap(survivor)
    }

    /// Nil: it has ended.
    package func survivor(_ pid: Int32) -> Survivor? {
        guard let facts = orch_process_facts(living: pid) else { return nil }
        let state = String(UnicodeScalar(UInt8(bitPattern: facts.state)))
        var channel = [CChar](repeating: 0, count: 64)
        orch_process_wait_channel(pid, &channel, channel.count)
        return Survivor(pid: pid, state: state, waitChannel: text(channel))
    }

    /// The process this one belongs to: itself a leader, or descended from one. Nil: it is no process of ours.
    package func owner(ofPID pid: Int32) -> ProcessID? {
        var slot: UInt32 = 0
        let mark = orch_process_mark(pid, records.nonce)
        if mark != 0, orch_mark_slot(&records.raw, mark, &slot) != 0, let process = process(inSlot: slot) {
            return process.id
        }
        let session = getsid(pid)
        guard session > 0 else { return nil }
        for case .some(let process) in processes where process.pid == session && sessionLeader(process) == session {
            return process.id
        }
        return nil
    }

    package func pid(of id: ProcessID) -> Int32? { process(id).flatMap { $0.pid > 0 ? $0.pid : nil } }

    /// What stands for the leader and never for another one: pollable, and the host's. Nil when there is none.
    package func descriptor(of id: ProcessID) -> Int32? {
        process(id).flatMap { $0.descriptor >= 0 ? $0.descriptor : nil }
    }

    /// When the leader was started, in clock ticks since boot: with its pid, its identity.
    package func startTime(of id: ProcessID) -> UInt64? {
        process(id).map { records.slot($0.id.slot).pointee.start_time }
    }

    /// The same as an instant, at most a clock tick early. Nil when it was not on record.
    package func startInstant(of id: ProcessID) -> Instant? {
        guard let ticks = startTime(of: id), ticks > 0 else { return nil }
        let perSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        return Instant(nanoseconds: Int64(ticks * (1_000_000_000 / perSecond)))
    }

    /// The leader's pid as the number of its session, as long as it can't have become another's.
    func sessionLeader(_ process: HostedProcess) -> Int32 {
        if process.hasExited, process.custody != .keeper || !hasKeeper { return 0 }
        return process.pid
    }

    private func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
