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
    private let usageReader = UsageReader()
    let allocator: PortAllocator
    let startedAt = Instant.now
    let bootID: String
    let seed: UInt64
    let engine: Engine
    let leases: LeaseHolder
    let probes: ProbeRunner
    let notifySocket: NotifySocket
    let announcer: Announcer
    let reporter: CrashReporter
    /// Whose output is being written to its end, before it is reported on.
    var failuresToReport: [UInt64: CrashReportSource] = [:]
    /// For sidecars that run as another user; there while one is declared.
    var foreignNotifySocket: NotifySocket?
    let secrets: SecretVault
    let credentials: CredentialPlaces
    let sweeper: StaleSweeper
    let clients: AttachedClients
    let sessions: ClientSessions
    /// By sidecar: the executable of which nothing stale is left.
    var sweptFor: [String: String] = [:]
    var lostLife = LostLife()
    var waitingForSweep: [String: [(SpawnFailure?) -> Void]] = [:]
    private let rest: RestKeeper
    let ahead: LogsAhead
    private var unattributed: [(pid: Int32, notifications: [SidecarNotification], at: Instant)] = []
    private static let mostUnattributed = 1024
    /// Webhooks under way: the project's end waits for them as for other hooks.
    var openPosts = 0
    var stateWatch: StateWatch?
    var server: ControlServer? {
        didSet { announcer.server = server }
    }

    // The project as its clients handed it over.
    var manifestPath = ""
    var workingDirectory = "/"
    var inherited: [String: String] = [:] {
        didSet { layOutEnvironment() }
    }
    /// What sidecars inherit: not what holds a secret.
    private(set) var inheritedEnvironment = InheritedEnvironment([:])
    /// Variables of the client that hold secrets.
    var secretVariables: Set<String> = [] {
        didSet { if secretVariables != oldValue { layOutEnvironment() } }
    }
    var clientUmask: UInt32 = 0o022
    var clientLimits = ClientLimits()
    var sources = PlanSources()
    var isDetached = false
    /// Nothing was applied yet.
    var isNew = true {
        didSet {
            guard !isNew, let timer = unusedTimer else { return }
            loop.cancel(timer)
            unusedTimer = nil
        }
    }
    var unusedTimer: EventLoop.TimerID?

    var addresses = AddressBook()
    /// Ports of an earlier life of the project, to be given again.
    var remembered: [InstanceName: [(name: String, number: UInt16)]] = [:]
    var reservations: [InstanceName: [String: PortReservation]] = [:]
    var lives = LifeTable()
    /// The code of `Effect.finish`, once all is down.
    var ending: Int32?
    /// Nobody asked for the end: it is no success, though all goes down in order.
    var endsForLoss = false
    var pendingDowns: [ControlHandler.Reply] = []
    /// Of those, one gives the ports back, for others to have.
    var releasesPorts = false
    /// By sidecar: those of the highest leave first when the guard ends them.
    var stopRanks: [String: Int] = [:]
    /// What `status` warns of, beside the journal.
    var conditions: [String] = []
    /// Whoever asked for something since has been told that the journal cannot be written.
    private var hasWarnedOfJournal = false
    /// Lines that are not in a log, and what is said of them.
    private var drops: [LogInstance: (lines: Int, warning: String)] = [:]
    /// What is said of logs that cannot be written now.
    private var refusals: [LogInstance: String] = [:]

    struct Parts {
        var loop: EventLoop
        var location: ProjectLocation
        var journal: Journal
        var host: ProcessHost
        var logs: LogPump
        var allocator: PortAllocator
        var bootID: String
        var seed: UInt64
        var secrets: SecretVault
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
        secrets = parts.secrets
        credentials = CredentialPlaces(stateDirectory: parts.location.stateDirectory)
        sweeper = StaleSweeper(loop: parts.loop, host: parts.host)
        clients = AttachedClients(loop: parts.loop, logs: parts.logs)
        sessions = ClientSessions(
            loop: parts.loop, host: parts.host, logs: parts.logs, stateDirectory: parts.location.stateDirectory)
        helpers = HelperRunner(loop: parts.loop, host: parts.host)
        let wire = Wire()
        leases = LeaseHolder(loop: parts.loop, journal: parts.journal) { wire.supervisor?.leaseEnded($0) }
        probes = ProbeRunner(loop: parts.loop, helpers: helpers, host: parts.host)
        notifySocket = try NotifySocket(loop: parts.loop, path: parts.location.stateDirectory + "/notify") {
            wire.supervisor?.notified(by: $0, $1)
        }
        engine = Engine(
            reconciler: Reconciler(plan: parts.plan, seed: parts.seed, firstIncarnation: parts.firstIncarnation),
            loop: parts.loop, journal: parts.journal, perform: { wire.supervisor?.perform($0) },
            flush: {
                wire.supervisor?.host.flush()
                wire.supervisor?.warnOfJournal()
                // Last: whoever is told takes the processor from what was just begun.
                wire.supervisor?.announcer.tellIfDue()
            },
            announce: {
                wire.supervisor?.rest.noteActivity()
                wire.supervisor?.reportFailures(among: $0)
                wire.supervisor?.announcer.announce($0)
                wire.supervisor?.ahead.note($0)
            },
            atRest: { wire.supervisor.map { $0.ahead.make(for: $0.engine) } })
        announcer = Announcer(loop: parts.loop) { [engine] in
            ReportBuilder(
                reconciler: engine.reconciler, addresses: wire.supervisor?.addresses ?? AddressBook(),
                clients: { wire.supervisor?.clientBook(of: $0) ?? ClientBook() })
        }
        ahead = LogsAhead(poster: parts.loop.poster, host: parts.host, logs: parts.logs) { [engine] in
            engine.reconciler.instance(sidecar: $0.sidecar, replica: $0.replica) != nil
        }
        rest = RestKeeper(loop: parts.loop)
        reporter = CrashReporter(parts.location)
        wire.supervisor = self
        addresses.dataDirectory = parts.location.dataDirectory
        // Sidecars are told of it as a place that is there.
        mkdir(parts.location.dataDirectory, 0o700)
        probes.supervisor = self
        sessions.supervisor = self
        host.onExit = { [unowned self] in exited($0, $1) }
        host.onEmpty = { [unowned self] in emptied($0) }
        host.onUnwanted = { [unowned self] in helpers.endAdopted($0) }
        host.onKeeperLost = { [unowned self] in keeperLost() }
    }

    /// Sidecars of other users can't reach the state directory.
    func prepareForeignNotifySocket(for plan: Plan) {
        guard foreignNotifySocket == nil,
            plan.sidecars.contains(where: { $0.mayBeForeign && $0.isNotifying })
        else { return }
        do throws(SystemError) {
            try credentials.prepareForeign()
            foreignNotifySocket = try NotifySocket(loop: loop, path: credentials.foreignNotifyPath, isOpenToAll: true) {
                [unowned self] in notified(by: $0, $1)
            }
        } catch {
            warn("sidecars of other users cannot say by sd_notify that they are ready: \(error)")
        }
    }

    private func layOutEnvironment() {
        let secret = secretVariables
        inheritedEnvironment = InheritedEnvironment(inherited.filter { !secret.contains($0.key) })
    }

    /// Lets parts be made before what they call.
    private final class Wire { weak var supervisor: Supervisor? }

    /// What is done now holds as long as this supervisor lives, and no longer.
    func warnOfJournal(again: Bool = false) {
        if again { hasWarnedOfJournal = false }
        guard let warning = journalWarning else { return hasWarnedOfJournal = false }
        guard !hasWarnedOfJournal else { return }
        hasWarnedOfJournal = true
        publish(.warning(warning))
    }

    var journalWarning: String? {
        journal.failure.map {
            "the journal cannot be written: \($0); until it can be, what is changed is undone when the supervisor dies"
        }
    }

    private func leaseEnded(_ reason: String) {
        publish(.leaseEnded(reason: reason))
        shutDown(by: .lease)
    }

    /// What a process of a sidecar says by sd_notify; what a stranger says is nobody's.
    private func notified(by pid: Int32, _ notifications: [SidecarNotification]) {
        if deliver(notifications, of: pid) { return }
        // A quick sidecar speaks before its spawn is reported. Whose it is shows then, or it was a stranger.
        if unattributed.count == Self.mostUnattributed { unattributed.removeFirst() }
        unattributed.append((pid, notifications, .now))
    }

    /// After a spawn was reported: what could not be attributed before may be its.
    func attributeNotifications() {
        guard !unattributed.isEmpty else { return }
        let now = Instant.now
        unattributed.removeAll { now - $0.at > .seconds(1) || deliver($0.notifications, of: $0.pid) }
    }

    private func deliver(_ notifications: [SidecarNotification], of pid: Int32) -> Bool {
        guard let process = host.owner(ofPID: pid), let life = lives.life(of: process),
            let spec = engine.reconciler.spec(of: life.index)
        else { return false }
        for notification in notifications {
            switch notification {
            case .ready: probes.notified(life.index, life.incarnation, spec)
            case .extendTimeout(let duration):
                engine.observe(.startExtended(life.index, life.incarnation, duration))
            case .status, .stopping: break
            }
        }
        return true
    }

    func logSaid(_ event: LogEvent) {
        switch event {
        case .matched(let token): probes.matched(token)
        case .drained(let token): outputIsWritten(token)
        case .held(let token): clients.outputIsHeld(token)
        case .refused(let instance, let reason, let isNews):
            forgetRefusal(of: instance)
            let message = "the log of \(instance) cannot be written: \(reason)"
            refusals[instance] = message
            add(condition: message)
            if isNews { publish(.warning(message)) }
        case .accepted(let instance): forgetRefusal(of: instance)
        case .dropped(let instance, let lines, let reason): noteDrop(of: lines, instance, reason)
        case .repeated(let instance, let lines):
            warn("\(lines) \(lines == 1 ? "line" : "lines") of \(instance) may stand twice in its log")
        case .failed(let instance, let error): warn("the output of \(instance) is not read any more: \(error)")
        }
    }

    private func forgetRefusal(of instance: LogInstance) {
        guard let message = refusals.removeValue(forKey: instance) else { return }
        conditions.removeAll { $0 == message }
    }

    /// A full disk takes and refuses in turns: `status` says once for each log how many lines that cost in all.
    private func noteDrop(of lines: Int, _ instance: LogInstance, _ reason: String) {
        let before = drops[instance]
        let all = lines + (before?.lines ?? 0)
        let soFar = before == nil ? "" : " so far"
        let message =
            all == 1
            ? "1 line of \(instance) was dropped: \(reason)"
            : "\(all) lines of \(instance) were dropped\(soFar): \(reason)"
        conditions.removeAll { $0 == before?.warning }
        drops[instance] = (all, message)
        warn(message)
    }

    func warn(_ message: String) {
        add(condition: message)
        publish(.warning(message))
    }

    private func add(condition: String) {
        if !conditions.contains(condition), conditions.count < 100 { conditions.append(condition) }
    }

    /// Its own, or those of its clients.
    func processes(of index: InstanceIndex) -> [ProcessID] {
        guard let status = engine.reconciler.status(of: index) else { return [] }
        return lives.process(of: index, status.incarnation).map { [$0] } ?? sessions.processes(of: index)
    }

    /// CPU and memory of all that each of these runs.
    func readUsage(of instances: [InstanceIndex], then: @escaping (UsageReader.Usages) -> Void) {
        let poster = loop.poster
        // Only handed through the other thread: it is called on the loop's, where `post` brings it.
        nonisolated(unsafe) let then = then
        usageReader.read(host.memberSearch(of: instances.flatMap(processes))) { usages in
            poster.post { then(usages) }
        }
    }
}
