import CProcess
import Glibc

/// Looks for the processes that belong to some of ours. Any thread may.
package struct MemberSearch: Sendable {
    let groups: ControlGroups?
    let nonce: UInt32
    var inGroups: [ProcessID] = []
    /// Of those without a cgroup.
    var byMark: [UInt64: ProcessID] = [:]
    /// Of those without a cgroup, by the number of their session.
    var byLeader: [Int32: ProcessID] = [:]

    init(groups: ControlGroups?, nonce: UInt32) {
        self.groups = groups
        self.nonce = nonce
    }

    /// Who lives now. Nil: that can't be found out.
    package func run() -> [ProcessID: [Int32]]? {
        var found: [ProcessID: [Int32]] = [:]
        for id in inGroups { found[id] = groups?.members(id) }
        guard !byMark.isEmpty else { return found }
        guard let all = ProcFile.pids() else { return nil }
        for pid in all where pid != getpid() {
            // It may miss what forks meanwhile. Who has a mark is whose the mark says, in whatever session.
            let mark = orch_process_mark(pid, nonce)
            guard let id = mark != 0 ? byMark[mark] : byLeader[getsid(pid)],
                orch_process_facts(living: pid) != nil
            else { continue }
            found[id, default: []].append(pid)
        }
        return found
    }
}
