import ControlAPI
import ControlServer
import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

/// A project's supervisor: the engine, and all that it acts with. Confined to the loop's thread.
final class Supervisor {
    let loop: EventLoop
    let location: ProjectLocation
    let journal: Journal
    let host: ProcessHost
    let logs: LogPump
    let helpers: HelperRunner
    let startedAt = WallClock.now
    let bootID: String
    let seed: UInt64
    private(set) var engine: Engine!
    private(set) var leases: LeaseHolder!
    private(set) var probes: ProbeRunner!
    var server: ControlServer?

    // The project as its clients handed it over.
    var manifestPath = ""
    var workingDirectory = "/"
    var inherited: [String: String] = [:]
    var clientUmask: UInt32 = 0o022
    var sources = PlanSources()
    var isDetached = false
    /// Nothing was applied yet.
    var isNew = true

    var addresses = AddressBook()
    let allocator: PortAllocator
    var lives = LifeTable()
    /// The code of `Effect.finish`, once all is down.
    var ending: Int32?
    var pendingDowns: [ControlHandler.Reply] = []
    /// What `status` warns of, beside the journal.
    var conditions: [String] = []
}
