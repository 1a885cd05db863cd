package import SidecarModel

/// What the shell is to do. Nothing here is awaited: results come back as `Input`.
package enum Effect: Hashable, Sendable {
    /// Start the program. Answer: `spawned` or `spawnFailed`, and later `exited`.
    case spawn(InstanceIndex, Incarnation)
    /// Run a hook. `pre_start` and `pre_stop` answer with `hookFinished`; the others answer nothing.
    case runHook(InstanceIndex, Incarnation, HookEvent, HookFacts)
    /// Run one check once, now, with its own hard timeout. Answer: `probed`.
    case probe(InstanceIndex, Incarnation, ProbeRole)
    /// Drop every check under way, log pattern and notification of this incarnation: nothing may answer any more.
    case endProbes(InstanceIndex, Incarnation)
    /// Send a signal to the leader, or to its process group.
    case signal(InstanceIndex, Incarnation, Signal, SignalTarget)
    /// The leader is gone: send the signal (if any) to whatever remains, and answer `emptied` as soon as nothing does —
    /// at once, when nothing does.
    case clear(InstanceIndex, Incarnation, Signal?)
    /// SIGKILL to leader and all that remains, again for what appears meanwhile. Answer: `exited` if it had not, then
    /// `emptied`.
    case kill(InstanceIndex, Incarnation)
    /// Say who lives on: `survived`. `emptied` still comes if they end after all.
    case inspect(InstanceIndex, Incarnation)
    /// The incarnation is over and empty: the exit status may be reaped, its record freed.
    case release(InstanceIndex, Incarnation)
    /// The instance is no longer declared, and empty: its ports, FIFOs and records may go. Its index may be used again.
    case retire(InstanceIndex)
    /// All is down. The code is the project's: 0, or that of the primary, or 1 when something could not be ended.
    case finish(code: Int32)
}

extension Effect {
    /// Once it is stored that the project is to be down, this may be done before it is stored who came to it: the next
    /// supervisor does it again, and takes nobody's end for a crash.
    package var belongsToEnd: Bool {
        switch self {
        case .signal, .clear, .kill, .inspect, .endProbes: true
        // How it ended is nowhere else any more once it is released.
        case .spawn, .runHook, .probe, .release, .retire, .finish: false
        }
    }
}

package enum SignalTarget: Hashable, Sendable { case leader, group }

/// What a hook is told.
package struct HookFacts: Hashable, Sendable {
    package var exit: ExitStatus?
    /// Consecutive failed attempts so far.
    package var attempt: Int
    /// 0: without limit.
    package var maxAttempts: Int
    package var restartsTotal: Int
    package var reason: String

    package init(
        exit: ExitStatus? = nil, attempt: Int = 0, maxAttempts: Int = 0, restartsTotal: Int = 0, reason: String = ""
    ) {
        self.exit = exit
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.restartsTotal = restartsTotal
        self.reason = reason
    }
}

/// A change of state, for the journal, events and `why`.
package struct Transition: Hashable, Sendable {
    package var instance: InstanceIndex
    package var incarnation: Incarnation
    package var at: Instant
    package var from: StateName
    package var to: StateName
    package var initiator: Initiator
    /// Why, as a sentence a person can read: `exit 1, attempt 2 of 10, next in 1.2 s`.
    package var cause: String
    /// The sidecar that is the cause, when it is another one.
    package var causedBy: String?
}
