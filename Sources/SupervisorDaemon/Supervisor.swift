import CProcess
import ControlAPI
import ControlServer
import Glibc
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
    let allocator: PortAllocator
    let startedAt = WallClock.now
    let bootID: String
    let seed: UInt64
    let engine: Engine
    let leases: LeaseHolder
    let probes: ProbeRunner
    var server: ControlServer?

    // The project as its clients handed it over.
    var manifestPath = ""
    var workingDirectory = "/"
    var inherited: [String: String] = [:] {
        didSet { sortedEnvironment = inherited.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) } }
    }
    private(set) var sortedEnvironment: [(name: String, value: String)] = []
    var clientUmask: UInt32 = 0o022
    var sources = PlanSources()
    var isDetached = false
    /// Nothing was applied yet.
    var isNew = true

    var addresses = AddressBook()
    /// Ports of an earlier life of the project, to be given again.
    var remembered: [InstanceName: [(name: String, number: UInt16)]] = [:]
    var reservations: [InstanceName: [String: PortReservation]] = [:]
    var lives = LifeTable()
    /// The code of `Effect.finish`, once all is down.
    var ending: Int32?
    var pendingDowns: [ControlHandler.Reply] = []
    /// What `status` warns of, beside the journal.
    var conditions: [String] = []

    struct Parts {
        var loop: EventLoop
        var location: ProjectLocation
        var journal: Journal
        var host: ProcessHost
        var logs: LogPump
        var allocator: PortAllocator
        var notifySocket: NotifySocket?
        var bootID: String
        var seed: UInt64
        var plan: Plan
        var firstIncarnation: UInt64
    }

    /// Everything is wired here; nothing happens before the loop runs.
    init(_ parts: Parts) throws(SystemError) {
        loop = parts.loop
        location = parts.location
        journal = parts.journal
        host = parts.host
        logs = parts.logs
        allocator = parts.allocator
        bootID = parts.bootID
        seed = parts.seed
        helpers = HelperRunner(loop: parts.loop, host: parts.host)
        let wire = Wire()
        leases = LeaseHolder(loop: parts.loop, journal: parts.journal) { wire.supervisor?.leaseEnded($0) }
        probes = try ProbeRunner(loop: parts.loop, helpers: helpers, host: parts.host, notifySocket: parts.notifySocket)
        engine = Engine(
            reconciler: Reconciler(plan: parts.plan, seed: parts.seed, firstIncarnation: parts.firstIncarnation),
            loop: parts.loop, journal: parts.journal, perform: { wire.supervisor?.perform($0) },
            flush: { wire.supervisor?.host.flush() }, announce: { wire.supervisor?.announce($0) })
        wire.supervisor = self
        addresses.dataDirectory = parts.location.dataDirectory
        probes.supervisor = self
        host.onExit = { [unowned self] in exited($0, $1) }
        host.onEmpty = { [unowned self] in emptied($0) }
        host.onKeeperLost = { [unowned self] in keeperLost() }
    }

    /// Lets parts be made before what they call.
    private final class Wire { weak var supervisor: Supervisor? }

    var notifyPath: String? { probes.notifyPath }

    private func leaseEnded(_ reason: String) {
        publish(.leaseEnded(reason: reason))
        shutDown(by: .lease)
    }

    /// Sidecars live on; without their parent, emptiness is proved by cgroup, or searched for by session and mark.
    private func keeperLost() {
        warn("the keeper was lost: sidecars go on, and a crash of the supervisor is not repaired until the next up")
    }

    func logSaid(_ event: LogEvent) {
        switch event {
        case .matched(let token): probes.matched(token)
        case .drained: break
        case .dropped(let instance, let lines, let reason):
            warn("\(lines) lines of \(instance) were dropped: \(reason)")
        case .repeated(let instance, let lines): warn("\(lines) lines of \(instance) may stand twice in its log")
        case .failed(let instance, let error): warn("the output of \(instance) is not read any more: \(error)")
        }
    }

    private func warn(_ message: String) {
        if !conditions.contains(message), conditions.count < 100 { conditions.append(message) }
        publish(.warning(message))
    }

    /// CPU and memory of all that an instance runs.
    func usage(of index: InstanceIndex) -> UsageReport? {
        guard let status = engine.reconciler.status(of: index),
            let process = lives.process(of: index, status.incarnation)
        else { return nil }
        var total = UsageReport(cpuMilliseconds: 0, memoryBytes: 0)
        for pid in host.members(of: process) {
            guard let usage = ProcessUsage(of: pid) else { continue }
            total.cpuMilliseconds += usage.cpuTime.nanoseconds / 1_000_000
            total.memoryBytes += usage.memory.bytes
        }
        return total
    }
}
