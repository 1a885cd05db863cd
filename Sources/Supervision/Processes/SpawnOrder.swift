import Glibc
import SidecarModel

// What the spawner is asked for, and what it answers.
extension Spawner {
    /// A class, as it is handed on several times and large.
    final class Order: Sendable {
        let id: ProcessID
        let request: ProcessRequest
        let mark: UInt64
        /// The keeper's child, or ours.
        let isKeepersChild: Bool
        let groups: ControlGroups?
        /// A descriptor of its cgroup, when that is made already. The order's.
        let group: Int32?

        init(
            id: ProcessID, request: ProcessRequest, mark: UInt64, isKeepersChild: Bool, groups: ControlGroups?,
            group: Int32? = nil
        ) {
            self.id = id
            self.request = request
            self.mark = mark
            self.isKeepersChild = isKeepersChild
            self.groups = groups
            self.group = group
        }

        deinit { if let group { close(group) } }
    }

    struct Outcome: Sendable {
        var id: ProcessID
        /// The child, also one that could not execute and is to be reaped; 0 when there is none.
        var pid: Int32
        var descriptor: Int32
        var failure: SpawnFailure?
        /// As it was asked for.
        var isAwaited: Bool
    }
}
