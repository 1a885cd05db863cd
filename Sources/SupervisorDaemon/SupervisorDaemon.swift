import CProcess
import ControlAPI
import ControlServer
import FoundationEssentials
import Glibc
import Planning
import Reconciliation
import SidecarModel
package import StateStore
import Supervision

/// The hidden half of the program: what the keeper starts and keeps running.
package enum SupervisorDaemon {
    /// Why it cannot serve; said in its log, and to the client that waits for it.
    private struct Refusal: Error { var message: String }

    /// Room for what some two thousand sidecars take, in 64 KiB of the kernel's memory.
    private static let descriptorTable: UInt64 = 8192

    /// Supervises the project until it is down. Returns the program's exit code; the keeper starts it again after any
    /// end but the one it was told of.
    ///
    /// - Parameter descriptors: the value of `--keeper-descriptors`.
    package static func run(location: ProjectLocation, descriptors text: String) -> Int32 {
        guard let descriptors = KeeperDescriptors(parsing: text) else {
            complain("orchestrate supervise is started by orchestrate-keeper, not by hand")
            return 64
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        // What it makes is for this user alone; sidecars are given that of the client.
        umask(0o077)
        orch_set_process_name("orchestrate")
        orch_memory_share_arena()
        orch_grow_descriptor_table(descriptors.socket, descriptorTable)
        // Beside what follows, which waits for files.
        try? WorkerThread(name: "rehearsal", work: rehearse).detach()
        do {
            let supervisor = try makeSupervisor(location, descriptors)
            let handler = RequestHandler(supervisor: supervisor)
            let listener = try listen(location)
            supervisor.server = try ControlServer(loop: supervisor.loop, listener: listener, handler: handler)
            try watchSignals(supervisor)
            let beacon = try ProjectBeacon(
                loop: supervisor.loop, identity: location.identity, stateDirectory: location.stateDirectory)
            supervisor.stateWatch = watchState(of: supervisor, location)
            if let ready = descriptors.ready {
                say("ready \(getpid())\n", to: ready)
                close(ready)
            }
            DescriptorRoom.takingUp(false)
            supervisor.host.announceReady()
            supervisor.endIfUnused(after: .seconds(10))
            try supervisor.loop.run()
            withExtendedLifetime((handler, beacon)) {}
            return 0
        } catch {
            let known = (error as? SystemError)?.remedy.map { "cannot \(error); \($0)" }
            let message = known ?? (error as? Refusal)?.message ?? (error as? PortConflict)?.message ?? "\(error)"
            complain(message)
            if let ready = descriptors.ready { say("error \(message)\n", to: ready) }
            return 1
        }
    }

    /// Goes through a small project as far as nothing outside is touched; see `Rehearsal`.
    private static let rehearse: @Sendable () -> Void = {
        Rehearsal.ofSupervisor()
        var sources = PlanSources()
        sources.add(
            PlanSources.Layer(
                manifest: "/a", workingDirectory: "/", environment: ["A": "b"], names: [],
                files: ["/a": "version: 1\nsidecars:\n  a: { command: [a], restart: { delay: 0s } }\n"],
                canonicalPaths: ["/": "/"]))
        guard let plan = PlanSources(encoded: sources.encoded)?.makePlan() else { return }
        var reconciler = Reconciler(plan: plan, seed: 0)
        let now = Instant(nanoseconds: 0)
        reconciler.observe(.apply(plan, selection: nil), at: now)
        _ = reconciler.reconcile(at: now)
        _ = reconciler.takeChangedRecords()
    }

    private static func makeSupervisor(
        _ location: ProjectLocation, _ descriptors: KeeperDescriptors
    ) throws -> Supervisor {
        guard access(location.stateDirectory, W_OK | X_OK) == 0 else {
            throw Refusal(
                message: "the state directory \(location.stateDirectory) cannot be written "
                    + "(\(SystemError.message(for: errno))): what runs goes on, and so does its supervision once it can: "
                    + "chmod u+rwx '\(location.stateDirectory)'")
        }
        let loop = try EventLoop()
        let store = try StateStore(writing: location.journalPath)
        let bootID = currentBootID()
        let memory = try remembered(in: store, bootID: bootID)
        let plan: Plan
        let secrets = SecretVault(path: location.secretsPath)
        var areSecretsKnown = true
        if let memory {
            areSecretsKnown = secrets.load()
            plan = memory.plan.stamped(with: secrets.entries)
        } else {
            // A life that is over leaves none to the next.
            secrets.discard()
            CredentialPlaces(stateDirectory: location.stateDirectory).removeAll()
            plan = try Plan(project: ProjectSpec(name: location.identity, directory: "/"), sidecars: [])
        }
        let mailbox = LogMail()
        let events = loop.mailbox(of: LogEvent.self) { mailbox.handle($0) }
        let logs = try LogPump(stateDirectory: location.stateDirectory) { events.send($0) }
        let supervisor = try Supervisor(
            Supervisor.Parts(
                loop: loop, location: location, journal: try Journal(store: store, loop: loop),
                host: try ProcessHost(
                    loop: loop, stateDirectory: location.stateDirectory, descriptors: descriptors,
                    containment: wantedContainment,
                    // Logs are turned to while their sidecars begin: before that, it would be in the way.
                    afterSpawns: { logs.wake() }),
                logs: logs,
                allocator: try PortAllocator(
                    registry: "\(location.root)/ports", stateDirectory: location.stateDirectory),
                bootID: bootID, seed: memory?.project.seed ?? seed(),
                secrets: secrets, plan: plan, firstIncarnation: try store.lastIncarnation() + 1))
        mailbox.supervisor = supervisor
        if !areSecretsKnown {
            supervisor.conditions.append(
                "the secrets in \(location.secretsPath) cannot be read: what needs them starts after the next up")
        }
        supervisor.remember(try store.ports())
        DescriptorRoom.takingUp(true)
        switch memory {
        case .some(let memory) where supervisor.host.mustEndLeftovers: supervisor.endLeftovers(memory)
        case .some(let memory): supervisor.takeUp(memory)
        case nil:
            supervisor.takeUpLeftovers()
            supervisor.host.tookUpLeftovers()
        }
        return supervisor
    }

    private final class LogMail {
        weak var supervisor: Supervisor?
        func handle(_ event: LogEvent) { supervisor?.logSaid(event) }
    }

    /// The project as an earlier supervisor left it. Nil when there is none to take up: never up, brought down, or of
    /// another boot, whose processes are gone.
    private static func remembered(in store: StateStore, bootID: String) throws -> Supervisor.Memory? {
        guard let project = try store.project(), project.bootID == bootID else { return nil }
        let instances = try store.instances()
        guard !instances.isEmpty, let sources = PlanSources(encoded: project.plan), let plan = sources.makePlan()
        else { return nil }
        return Supervisor.Memory(
            project: project, sources: sources, plan: plan, instances: instances, lease: try store.lease())
    }

    private static func listen(_ location: ProjectLocation) throws -> Int32 {
        do throws(ControlSocketError) {
            return try ControlSocket.listen(path: location.socketPath)
        } catch {
            throw Refusal(message: "\(error)")
        }
    }

    /// SIGTERM and SIGINT mean the project: whoever sends them wants nothing of it left.
    private static func watchSignals(_ supervisor: Supervisor) throws {
        let mask = UInt64(1) << UInt64(SIGTERM - 1) | UInt64(1) << UInt64(SIGINT - 1)
        let descriptor = loop_signalfd_create(mask)
        guard descriptor >= 0 else { throw SystemError.last("signalfd") }
        _ = try supervisor.loop.watch(descriptor, .read) { [unowned supervisor] _ in
            var sender: Int32 = 0
            while loop_signalfd_read(descriptor, &sender) > 0 {
                supervisor.shutDown(by: .user)
            }
        }
    }

    private static func watchState(of supervisor: Supervisor, _ location: ProjectLocation) -> StateWatch? {
        do throws(SystemError) {
            return try StateWatch(loop: supervisor.loop, location: location) { [unowned supervisor] in
                supervisor.stateLost()
            }
        } catch {
            supervisor.warn("a loss of the state directory would not be noticed: \(error)")
            return nil
        }
    }

    /// `ORCHESTRATE_CONTAINMENT=session` does without cgroups.
    private static var wantedContainment: Containment.Level? {
        guard let value = getenv("ORCHESTRATE_CONTAINMENT") else { return nil }
        return String(cString: value) == "session" ? .keeper : nil
    }

    private static func seed() -> UInt64 { UInt64.random(in: .min ... .max) }

    private static func currentBootID() -> String {
        let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).prefix { $0 != 10 }, as: UTF8.self)
    }

    private static func complain(_ message: String) { say("supervisor: \(message)\n", to: 2) }

    private static func say(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)
        // Whoever does not listen can't be told that.
        _ = write(descriptor, &bytes, bytes.count)
    }
}
