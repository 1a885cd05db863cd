import CProcess
import Glibc
package import Reconciliation
package import SidecarModel

/// Finds out whether it was our sidecar that answered, or another process on its port.
///
/// The listening socket is looked up exactly, in microseconds. Whose it is, is asked of /proc only when it is another
/// socket than the last time, or another incarnation.
package final class SocketOwnership {
    /// The sidecar a socket should belong to.
    package struct Subject {
        /// Of one instance, whatever its incarnation.
        package var key: Int
        package var incarnation: Incarnation
        /// The processes of this incarnation that live now. Without cgroups they are looked for among all there are.
        package var members: () -> [Int32]
        /// Whether a process is surely one of them; a quick look, and no is no answer.
        package var holds: (Int32) -> Bool

        package init(
            key: Int, incarnation: Incarnation, members: @escaping () -> [Int32],
            holds: @escaping (Int32) -> Bool = { _ in false }
        ) {
            self.key = key
            self.incarnation = incarnation
            self.members = members
            self.holds = holds
        }
    }

    private struct Known {
        var incarnation: Incarnation
        var inode: UInt32
        var outcome: ProbeOutcome
        /// A stranger is asked about again: it may have handed the socket over.
        var askAgainAt: Instant
    }

    private struct Place: Hashable {
        var key: Int
        var address: IPAddress
        var port: UInt16
    }

    private let diagnostics = SocketDiagnostics()
    private var known: [Place: Known] = [:]

    package init() {}

    /// Only after a success: what it is worth.
    package func outcome(_ subject: Subject, address: IPAddress, port: UInt16) -> ProbeOutcome {
        guard let inode = try? diagnostics.listener(address, port: port), inode != 0 else {
            // Not on this host, or in another network namespace.
            return .unverified
        }
        let place = Place(key: subject.key, address: address, port: port)
        if let known = known[place], known.incarnation == subject.incarnation, known.inode == inode,
            known.outcome == .success || .now < known.askAgainAt
        {
            return known.outcome
        }
        let outcome = ask(inode, subject.members())
        known[place] = Known(
            incarnation: subject.incarnation, inode: inode, outcome: outcome, askAgainAt: .now + .seconds(1))
        return outcome
    }

    /// A Unix socket's listener is known by its credentials at the time it began to listen.
    package func outcome(_ subject: Subject, unixPeerOf descriptor: Int32) -> ProbeOutcome {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        guard loop_peer_credentials(descriptor, &pid, &uid, &gid) == 0, pid > 0 else { return .unverified }
        if subject.holds(pid) || subject.members().contains(pid) { return .success }
        // One that is gone may have been a parent of ours that passed the socket on.
        guard kill(pid, 0) == 0 || errno == EPERM else { return .unverified }
        return .foreign(owner: SocketOwner(pid: pid, command: SocketOwner.command(of: pid)).description)
    }

    /// The instance is gone.
    package func forget(key: Int) { known = known.filter { $0.key.key != key } }

    private func ask(_ inode: UInt32, _ members: [Int32]) -> ProbeOutcome {
        var unreadable = members.isEmpty
        for pid in members {
            switch SocketOwner.holds(pid, inode: inode) {
            case true?: return .success
            case false?: continue
            // It may just have ended, or belong to another user.
            case nil: unreadable = true
            }
        }
        if unreadable { return .unverified }
        let own = Set(members)
        let others = (ProcFile.pids() ?? []).filter { !own.contains($0) }
        guard let owner = SocketOwner.find(inode: inode, among: others) else { return .unverified }
        return .foreign(owner: owner.description)
    }
}
