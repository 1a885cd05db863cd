import CProcess
import Glibc

/// A process that was started for a sidecar, by whatever project: it carries a mark, or is in a cgroup of ours.
package struct MarkedProcess: Hashable, Sendable {
    package enum Evidence: Hashable, Sendable {
        case mark
        case cgroup(String)
    }

    package var pid: Int32
    package var startTime: UInt64
    package var uid: UInt32
    /// The name of its program, without arguments, which may hold secrets.
    package var command: String
    package var evidence: Evidence
    /// Which projects it belongs to, by the nonce of their records; more than one inside another's sidecar.
    package var nonces: Set<UInt32>

    /// All there are and may be looked at, in order of pid. Looks only.
    package static func all() -> [MarkedProcess] {
        (ProcFile.pids() ?? []).sorted().compactMap(look)
    }

    /// Those with a mark of that nonce which is meant, by the mark itself; that is quicker to find. Of zombies nothing is
    /// told.
    static func carrying(_ nonce: UInt32, where isMeant: (_ mark: UInt64) -> Bool) -> [MarkedProcess] {
        func carries(_ pid: Int32) -> Bool {
            marks(of: pid).contains { orch_mark_nonce($0) == nonce && isMeant($0) }
        }
        return (ProcFile.pids() ?? []).sorted().compactMap { pid in
            guard pid != getpid(), owner(of: pid) != nil, carries(pid),
                let facts = orch_process_facts(living: pid), let uid = owner(of: pid), carries(pid)
            else { return nil }
            return MarkedProcess(
                pid: pid, startTime: facts.start_time, uid: uid,
                command: ProcFile.text("/proc/\(pid)/comm")?.trimmed ?? "", evidence: .mark, nonces: [nonce])
        }
    }

    /// It is still there, and no other has its pid.
    package var isAlive: Bool { orch_process_lives(pid, startTime) != 0 }

    /// What it is, where it is one of those, and lives.
    static func look(_ pid: Int32) -> MarkedProcess? {
        guard pid != getpid() else { return nil }
        // Whether somebody looks after those of other users only root can find out. Asked first, as most are others'.
        guard owner(of: pid) != nil else { return nil }
        // Once more: the pid may have become another's in between.
        guard let facts = orch_process_facts(living: pid), let uid = owner(of: pid) else { return nil }
        var nonces = Set(marks(of: pid).map(orch_mark_nonce))
        var evidence = Evidence.mark
        if let group = ControlGroups.group(of: pid) {
            let ours = group.split(separator: "/").compactMap(nonce)
            if nonces.isEmpty, !ours.isEmpty { evidence = .cgroup(group) }
            nonces.formUnion(ours)
        }
        guard !nonces.isEmpty else { return nil }
        return MarkedProcess(
            pid: pid, startTime: facts.start_time, uid: uid,
            command: ProcFile.text("/proc/\(pid)/comm")?.trimmed ?? "", evidence: evidence, nonces: nonces)
    }

    /// Nil: there is no such process, or it is another's, and we are not root.
    private static func owner(of pid: Int32) -> UInt32? {
        var info = stat()
        guard stat("/proc/\(pid)", &info) == 0, geteuid() == 0 || info.st_uid == geteuid() else { return nil }
        return info.st_uid
    }

    private static func marks(of pid: Int32) -> [UInt64] {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2) { marks in
            Array(marks.prefix(Int(orch_process_marks(pid, marks.baseAddress))))
        }
    }

    /// `orchestrate-1a2b3c.4d5e6f`
    private static func nonce(ofGroup name: Substring) -> UInt32? {
        let prefix = ControlGroups.namePrefix
        return name.hasPrefix(prefix) ? UInt32(name.dropFirst(prefix.count).prefix { $0 != "." }, radix: 16) : nil
    }
}
