package import Planning
package import SidecarModel

/// An instance, by its place in the reconciler: stable from the `apply` that declared it until `Effect.retire`.
package struct InstanceIndex: Hashable, Comparable, Sendable {
    package var value: Int

    package init(_ value: Int) { self.value = value }

    package static func < (left: InstanceIndex, right: InstanceIndex) -> Bool { left.value < right.value }
}

/// Everything the world can say to the reconciler.
///
/// Facts about a process carry the incarnation they belong to. One that is not the instance's current one is dropped.
package enum Input: Sendable {
    // What people and programs ask for.

    /// Drive towards this plan. The selection limits it to those sidecars and their required dependencies; nil is all.
    case apply(Plan, selection: [String]?)
    case start([String], by: Initiator)
    /// Callers ask `Reconciler.dependents(runningOn:)` first; here the stop is carried out.
    case stop([String], scope: StopScope, by: Initiator)
    case restart([String], by: Initiator)
    /// Run a task now, whatever it did before.
    case run(String)
    /// Everything down, in order; ends with `Effect.finish`.
    case shutdown(by: Initiator)
    /// Only in a shutdown: `noGrace` skips what is left of every grace period, `killNow` goes straight to SIGKILL.
    case hurry(Hurry)

    // What happened.

    case spawned(InstanceIndex, Incarnation, Spawned)
    case spawnFailed(InstanceIndex, Incarnation, SpawnFailure)
    /// Answers `Effect.runHook` for the hooks that are waited for (`pre_start`, `pre_stop`). Nil: it worked.
    case hookFinished(InstanceIndex, Incarnation, HookEvent, failure: String?)
    case probed(InstanceIndex, Incarnation, ProbeRole, ProbeOutcome)
    /// sd_notify EXTEND_TIMEOUT_USEC
    case startExtended(InstanceIndex, Incarnation, Duration)
    /// The leader ended. Its children may live.
    /// - Parameter portConflict: which process outside this instance has one of its ports, as a sentence, where it ended
    ///   before it was ready.
    case exited(InstanceIndex, Incarnation, ExitStatus, portConflict: String? = nil)
    /// No process of this incarnation lives. Answers `Effect.clear` and `Effect.kill`, never comes before `exited`.
    case emptied(InstanceIndex, Incarnation)
    /// Answers `Effect.inspect`.
    case survived(InstanceIndex, Incarnation, [Survivor])
    /// A port this instance had been given was taken, and another one chosen: who refers to it holds a dead address.
    /// - Parameter told: which, as a sentence, where it moved for a start that is under way.
    case portMoved(InstanceIndex, told: String? = nil)
    /// Time passed: a deadline may be due. Carries nothing, as deadlines are state.
    case tick
}

package struct Spawned: Hashable, Sendable {
    /// Nil for one that runs a process for each client: it is open to them.
    package var pid: Int32?

    package init(pid: Int32?) { self.pid = pid }
}

/// A process that lives on after SIGKILL.
package struct Survivor: Hashable, Codable, Sendable {
    package var pid: Int32
    /// As in /proc/PID/stat: `D` is waiting in the kernel and can't be ended.
    package var state: String
    /// The kernel function it waits in, where readable.
    package var waitChannel: String

    package init(pid: Int32, state: String, waitChannel: String) {
        self.pid = pid
        self.state = state
        self.waitChannel = waitChannel
    }
}

package enum ProbeOutcome: Hashable, Codable, Sendable {
    case success
    /// It answered, but who owns the socket could not be read.
    case unverified
    /// Another process holds the socket: not our sidecar's health.
    case foreign(owner: String)
    /// What was expected and what came, as a sentence.
    case failure(String)
    case timeout
}

package enum StopScope: Hashable, Sendable {
    /// Only those named; running dependents stay.
    case only
    /// Those named and all that depend on them.
    case cascade
}

package enum Hurry: Hashable, Comparable, Sendable { case noGrace, killNow }
