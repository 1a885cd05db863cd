import Reconciliation
import SidecarModel

/// One instance by its name: what stays the same whatever place a supervisor gives it.
struct Slot {
    let sidecar: String
    let replica: Int
    /// Its place in the reconciler that runs now.
    var index: InstanceIndex?
    /// Counts how often it was retired.
    var epoch = 0
    /// Part of the manifest the core was last given.
    var isDeclared = true
    var rules = Rules()
    var health = HealthSpec()

    // The truth.
    /// Its latest life.
    var life: LifeID?
    /// Its lives that have a process, or had one that was not released.
    var unreleased: [LifeID] = []
    var highestIncarnation = Incarnation(0)

    // What people asked.
    /// A stop was asked for and nothing after it asks for a start.
    var mayNotStart = true
    /// A start was asked for since the last one.
    var wasAsked = false
    /// Its life is to end for another one: its declaration changed, an address moved, or a restart was asked for.
    var mayBeReplaced = false
    /// A restart was asked for by its name, and no life has begun since.
    var isAskedToRestart = false
    /// A port it refers to has moved since it was started.
    var holdsDeadAddress = false
    /// A task is to run once more, whatever it did before.
    var mayRunAgain = false

    // What the core says.
    var state = StateName.stopped
    var since = Instant(nanoseconds: 0)
    var record: InstanceRecord?

    // What the invariants remember.
    /// How the last life ended by itself, as the core was told, until the next start.
    var ownEnd: OwnEnd?
    var restartsInARow = 0
    var restarts: [Instant] = []
    var healthySince: Instant?
    /// The fingerprint of the task that last ended with success.
    var succeeded: UInt64?
    /// The fingerprint it was last asked to be brought to, until a failure in its branch excuses it.
    var demanded: UInt64?
    var wasStartedEver = false
    var hasEndedEver = false

    /// An end nobody asked for.
    struct OwnEnd {
        var at: Instant
        /// Nil: it failed to start, or was ended for its health.
        var status: ExitStatus?
    }

    init(sidecar: String, replica: Int) {
        self.sidecar = sidecar
        self.replica = replica
    }

    /// Meant by a list of names: its sidecar's or its own.
    func isNamed(by names: [String]) -> Bool { names.contains { $0 == sidecar || $0 == label } }

    var label: String { "\(sidecar)/\(replica)" }

    /// A task that has done what it is there for: there is nothing to stop.
    var isDone: Bool { rules.kind == .task && state == .completed }

    var isPrimaryAtItsEnd: Bool { rules.isPrimary && (state == .completed || state == .failed) }

    /// A request for a start wipes what held it back.
    mutating func ask() {
        mayNotStart = false
        excuseStart()
    }

    /// The next start is charged to no budget.
    mutating func excuseStart() {
        wasAsked = true
        ownEnd = nil
        restartsInARow = 0
        restarts.removeAll(keepingCapacity: true)
    }
}
