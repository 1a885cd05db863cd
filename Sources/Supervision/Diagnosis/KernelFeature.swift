import CProcess
import Glibc

/// Something the kernel may or may not do for us, tried once.
package struct KernelFeature: Sendable {
    package enum Need: Sendable {
        /// Nothing starts without it.
        case required
        /// There is another way, which is slower or sees less.
        case helpful
    }

    package var name: String
    package var need: Need
    /// Nil: it works.
    package var failure: SystemError?
    /// What becomes of us without it, as a sentence.
    package var consequence: String
    /// The first kernel that has it.
    package var since: String

    /// Tries each. What is started for it has ended afterwards.
    package static func tryAll() -> [KernelFeature] {
        [
            KernelFeature(
                "clone3 with a pidfd", .required, orch_try_clone3(), since: "5.5",
                "no sidecar can be started"),
            KernelFeature(
                "close_range", .required, orch_try_close_range(), since: "5.11", "no sidecar can be started"),
            KernelFeature(
                "subreaper", .required, orch_try_subreaper(), since: "3.4",
                "a daemon that a sidecar leaves behind is lost to us"),
            KernelFeature(
                "group signal by pidfd", .helpful, orch_try_group_signal(), since: "6.9",
                "the processes of a group are signalled one by one"),
            KernelFeature(
                "exit status by pidfd", .helpful, orch_try_exit_status(), since: "6.15",
                "an exit code is unknown when a sidecar ends while keeper and supervisor are both gone"),
            KernelFeature(
                "inherited mark (RLIMIT_RTTIME)", .helpful, orch_try_mark(), since: "2.6.25",
                "without cgroups, what a sidecar forks into a session of its own is found only below the keeper"),
            KernelFeature(
                "sock_diag", .helpful, orch_try_socket_diagnostics(), since: "3.3",
                "who owns a port cannot be told: health checks are shown as unverified"),
        ]
    }

    private init(_ name: String, _ need: Need, _ result: Int32, since: String, _ consequence: String) {
        self.name = name
        self.need = need
        failure = result == 0 ? nil : SystemError(call: name, errno: -result)
        self.since = since
        self.consequence = consequence
    }
}

extension Containment {
    /// What a supervisor started now would have. The cgroup that is made for the trial is gone afterwards.
    package static func tried() -> Containment {
        do throws(ControlGroups.Unusable) {
            let groups = try ControlGroups.find(recorded: "", nonce: UInt32.random(in: 1 ... .max))
            groups.discard()
            return Containment(
                level: .cgroup, description: "cgroups below \(ControlGroups.parent(of: groups.path))")
        } catch {
            return Containment(level: .keeper, description: error.reason)
        }
    }
}

/// Where FIFOs would be kept in memory.
package enum MemoryPlace {
    /// Nil: nowhere, so they are in the state directory.
    package static var forFifos: String? { FifoDirectory.rootInMemory() }
}
