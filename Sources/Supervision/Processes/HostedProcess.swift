import SidecarModel

/// What the host knows of one process, from its spawn to its release.
struct HostedProcess {
    /// Who learns of its end first.
    enum Custody {
        /// It is the keeper's child.
        case keeper
        /// It is ours: there is no keeper.
        case own
        /// Its parent is neither: it is watched by its pidfd.
        case stranger
    }

    enum Phase {
        case spawning((Result<SpawnedProcess, SpawnFailure>) -> Void)
        /// Its spawn did not come to an end in time, which was said; it may still do so.
        case hanging
        case running
        case exited(ExitStatus)
    }

    let id: ProcessID
    let name: String
    let kind: ProcessKind
    var phase: Phase
    var custody: Custody
    var pid: Int32 = 0
    /// -1 when there is none.
    var descriptor: Int32 = -1
    var mark: UInt64
    var isInGroup: Bool
    var watch: EventLoop.WatchID?
    /// It ended before the loop learned that it was spawned.
    var earlyExit: ExitStatus?

    /// Somebody asked for its emptiness and was not answered yet.
    var isAwaited = false
    var isKilling = false
    /// Nothing of it can live any more.
    var isKnownEmpty = false
    /// Its cgroup was removed, which showed that nobody was in it.
    var isGroupRemoved = false
    /// `cgroup.events`, while its emptiness is awaited.
    var events: Int32 = -1
    var eventsWatch: EventLoop.WatchID?
    /// Processes watched until they end, where nobody counts them for us.
    var members: [Int32: (descriptor: Int32, watch: EventLoop.WatchID)] = [:]

    var hasExited: Bool {
        if case .exited = phase { true } else { false }
    }

    var isSpawning: Bool {
        if case .spawning = phase { true } else { false }
    }

    var isRunning: Bool {
        if case .running = phase { true } else { false }
    }
}

/// A process that runs its program.
package struct SpawnedProcess: Hashable, Sendable {
    package var id: ProcessID
    package var pid: Int32
}
