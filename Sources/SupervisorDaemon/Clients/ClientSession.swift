import ControlAPI
import Glibc
import Reconciliation
import SidecarModel
import Supervision

/// One client of a sidecar that runs a process for each, and its process. Owned by `ClientSessions`.
final class ClientSession {
    enum Phase {
        /// It was let in, and has not lent its input and output yet.
        case arriving
        case spawning
        case running(ProcessID)
        /// The leader is gone, what it left behind is being ended.
        case clearing(ProcessID)
    }

    /// What was asked of a process that is still being started.
    enum Wish {
        case signal(Signal, SignalTarget)
        case kill
    }

    /// Unique in this life of the project: as the incarnation of its process, and in what the keeper holds.
    let number: UInt64
    let index: InstanceIndex
    let name: InstanceName
    /// Whether it is told what becomes of its process. Others only have the connection.
    let isTold: Bool
    /// Of the client.
    let pid: Int32
    var phase: Phase
    /// -1 once it is closed.
    var connection: Int32
    var watch: EventLoop.WatchID?
    /// What becomes the process's standard input and output; ours until it runs.
    var lent: [Int32] = []
    var processID: Int32?
    var wishes: [Wish] = []
    /// Under way once the client has left.
    var stop: StopSequence?
    var timer: EventLoop.TimerID?

    init(
        number: UInt64, index: InstanceIndex, name: InstanceName, connection: Int32, isTold: Bool, pid: Int32,
        phase: Phase
    ) {
        self.number = number
        self.index = index
        self.name = name
        self.connection = connection
        self.isTold = isTold
        self.pid = pid
        self.phase = phase
    }

    /// Under which the keeper holds its connection.
    var holdKey: UInt64 { HeldDescriptor.returnedKey | number }

    var process: ProcessID? {
        switch phase {
        case .arriving, .spawning: nil
        case .running(let process), .clearing(let process): process
        }
    }

    var leaderLives: Bool {
        switch phase {
        case .arriving, .spawning, .running: true
        case .clearing: false
        }
    }

    var report: ClientReport { ClientReport(pid: pid, processID: processID) }

    func closeLent() {
        for descriptor in lent { close(descriptor) }
        lent = []
    }
}

/// Where the clients of one life of an instance come in.
struct OpenDoor {
    let index: InstanceIndex
    let incarnation: Incarnation
    let name: InstanceName
    let place: ClientDoor
    /// Both are -1 for one that never opened here.
    let stream: Int32
    let attach: Int32
    var watches: [EventLoop.WatchID] = []
    /// The core has asked for its end: nobody comes in any more.
    var isClosed = false
    /// The core was told that no client's process lives.
    var isExitTold = false
    /// The core waits to hear that nothing of it is left.
    var isAwaited = false

    /// Under which the keeper holds its sockets.
    static func holdKeys(of name: InstanceName) -> (stream: UInt64, attach: UInt64) {
        let hash = name.holdKey >> 3
        return (HeldDescriptor.returnedKey | 2 << 61 | hash, HeldDescriptor.returnedKey | 3 << 61 | hash)
    }

    /// Sessions have lower numbers.
    static let firstHoldKey = HeldDescriptor.returnedKey | 2 << 61
}
