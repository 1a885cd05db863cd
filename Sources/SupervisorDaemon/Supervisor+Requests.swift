import ControlAPI
import ControlServer
import FoundationEssentials
import Glibc
import ManifestLoading
import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

// MARK: What is asked about

extension Supervisor {
    var reports: ReportBuilder {
        ReportBuilder(reconciler: engine.reconciler, addresses: addresses) { [unowned self] in clientBook(of: $0) }
    }

    var greeting: Hello.Answer {
        Hello.Answer(
            project: engine.reconciler.plan.project.name, identity: location.identity,
            id: engine.reconciler.plan.project.id, directory: engine.reconciler.plan.project.directory,
            manifest: manifestPath, pid: getpid())
    }

    func snapshot(withSidecars: Bool) -> Subscribe.Answer {
        // Those who listen already hear what the snapshot holds; the new one must not hear it after it.
        announcer.tell()
        let instances = withSidecars ? engine.reconciler.instances : []
        return Subscribe.Answer(sequence: UInt64(journal.sequence), project: projectReport(of: instances))
    }

    func status(_ parameters: Status.Parameters, _ reply: @escaping ControlHandler.Reply) {
        // Who listens hears how it came to that before it sees that it did.
        announcer.tell()
        do throws(ControlError) {
            let instances = try instances(named: parameters.names, withLeaving: true)
            guard parameters.withUsage else { return reply(.success(.status(projectReport(of: instances)))) }
            readUsage(of: instances) { [unowned self] in reportStatus(of: parameters.names, with: $0, reply) }
        } catch {
            reply(.failure(error))
        }
    }

    /// Some of them may be gone meanwhile, and their places taken by others: they are looked for again.
    private func reportStatus(
        of names: [String], with usages: UsageReader.Usages, _ reply: @escaping ControlHandler.Reply
    ) {
        do throws(ControlError) {
            announcer.tell()
            let instances = try instances(named: names, withLeaving: true)
            reply(.success(.status(projectReport(of: instances, usages: usages))))
        } catch {
            reply(.failure(error))
        }
    }

    func ports(_ parameters: Ports.Parameters) throws(ControlError) -> Ports.Answer {
        let builder = reports
        return Ports.Answer(
            ports: try instances(named: parameters.names).flatMap { builder.report(of: $0)?.ports ?? [] })
    }

    func environment(_ parameters: Environment.Parameters) throws(ControlError) -> Environment.Answer {
        guard let index = try instances(named: [parameters.name]).first, let name = engine.name(of: index),
            let spec = engine.reconciler.spec(of: index)
        else { throw unknownSidecars([parameters.name]) }
        do throws(SpawnFailure) {
            let launcher = launcher
            let environment = try launcher.environment(of: spec, name)
            return Environment.Answer(
                instance: reports.shownName(of: index),
                workingDirectory: try launcher.workingDirectory(of: spec, name),
                variables: environment.variables.map { variable in
                    let isShown = !variable.isSecret || parameters.withSecrets ?? false
                    return .init(
                        name: variable.name, value: isShown ? variable.value : "", isSecret: variable.isSecret)
                },
                identity: spec.privileges.user == nil && spec.privileges.group == nil
                    ? nil
                    : .init(
                        user: spec.privileges.user, group: spec.privileges.group,
                        accountVariables: spec.privileges.user == nil ? [] : spec.accountVariables.map(\.rawValue)))
        } catch {
            throw ControlError(.failed, error.message)
        }
    }

    private func projectReport(
        of instances: [InstanceIndex], usages: UsageReader.Usages = [:]
    ) -> ProjectReport {
        let builder = reports
        let project = engine.reconciler.plan.project
        var warnings: [String] = []
        if let failure = journal.failure { warnings.append("the journal cannot be written: \(failure)") }
        if host.supervisorIsBroken {
            warnings.append(
                "supervisor-broken: it ended 5 times within a minute and was started again; what ended it is in "
                    + location.supervisorLogPath)
        }
        warnings += conditions
        return ProjectReport(
            project: project.name, identity: location.identity, directory: project.directory, manifest: manifestPath,
            stateDirectory: location.stateDirectory,
            phase: engine.reconciler.isShuttingDown ? .stopping : .running, supervisorPID: getpid(),
            keeperPID: host.keeperPID, supervisorStartedAt: WallClock().timestamp(startedAt),
            containment: ContainmentReport(
                level: host.containment.level.rawValue, description: host.containment.description),
            lease: leases.current, warnings: warnings,
            sidecars: instances.compactMap { builder.report(of: $0, usage: usage(of: $0, among: usages)) })
    }

    /// Nil: nothing of it was running.
    private func usage(of index: InstanceIndex, among usages: UsageReader.Usages) -> UsageReport? {
        let own = usages.isEmpty ? [] : processes(of: index).compactMap { usages[$0] }
        guard !own.isEmpty else { return nil }
        return UsageReport(
            cpuMilliseconds: own.reduce(0) { $0 + $1.cpuTime.nanoseconds / 1_000_000 },
            memoryBytes: own.reduce(0) { $0 + $1.memory.bytes })
    }

    /// Each once, however often it is meant.
    private func instances(
        named names: [String], withLeaving: Bool = false
    ) throws(ControlError) -> [InstanceIndex] {
        guard !names.isEmpty else { return engine.reconciler.instances }
        var found: [InstanceIndex] = []
        var unknown: [String] = []
        var known: Set<InstanceIndex> = []
        for name in names {
            let instances = engine.reconciler.instances(named: name, withLeaving: withLeaving)
            if instances.isEmpty, !engine.reconciler.plan.sidecars.contains(where: { $0.name == name }) {
                unknown.append(name)
            }
            found += instances.filter { known.insert($0).inserted }
        }
        guard unknown.isEmpty else { throw unknownSidecars(unknown) }
        return found
    }

    /// Of names that mean no instance. One that is declared without replicas is there all the same.
    func unknownSidecars(_ names: [String]) -> ControlError {
        let known = engine.reconciler.plan.sidecars.map(\.name)
        let unknown = names.filter { !known.contains($0) }
        let list = (unknown.isEmpty ? names : unknown).map { "'\($0)'" }.joined(separator: ", ")
        let sentence =
            unknown.isEmpty
            ? "\(list) \(names.count == 1 ? "has" : "have") no instances"
            : "there is no sidecar \(list) here; there are: \(known.joined(separator: ", "))"
        return ControlError(.unknownSidecar, sentence, names: names)
    }
}

// MARK: What changes what is wanted

extension Supervisor {
    func apply(_ parameters: Apply.Parameters) throws(ControlError) -> Apply.Answer {
        let files = RecordingFiles(directory: parameters.workingDirectory) { [host] in host.obstacle(to: $0) }
        let loaded = loadManifest(path: parameters.manifest, environment: parameters.environment, files: files)
        guard let loadedPlan = loaded.plan else {
            throw ControlError(
                .invalidManifest, "\(parameters.manifest) has errors; nothing was changed",
                diagnostics: loaded.diagnostics)
        }
        let values = try secretValues(for: loadedPlan, parameters)
        let new = loadedPlan.stamped(with: values)
        try checkNames(parameters.names + [parameters.awaited].compactMap(\.self), in: new)
        try checkAwaited(parameters, in: new)
        let isFirst = isNew
        let old = isFirst ? nil : engine.reconciler.plan
        let plan = try merged(old, new, names: parameters.names)
        let difference = PlanDifference(from: old, to: plan)
        try keep(values)
        // What refuses comes before what changes.
        let isHolder = try attach(parameters.attachment)
        secretVariables = new.secretVariables
        if isNew || parameters.refreshesEnvironment { adoptEnvironment(of: parameters) }
        manifestPath = parameters.manifest
        sources.add(
            PlanSources.Layer(
                manifest: parameters.manifest, workingDirectory: parameters.workingDirectory,
                environment: parameters.environment.filter { !secretVariables.contains($0.key) },
                names: parameters.names,
                files: files.contents(manifest: loaded.path, without: secretVariables),
                canonicalPaths: files.canonicalPaths))
        if isFirst { journal.forgetEnded() }
        isNew = false
        saveProject(plan)
        prepareForeignNotifySocket(for: plan)
        let moved = assignPorts(in: plan)
        cancelPendingDowns(because: "an up overtook it")
        let (alreadyGivingWay, idle) = isFirst ? ([], []) : (engine.reconciler.givingWay, engine.reconciler.idle)
        stateWatch?.resume()
        engine.observe(.apply(plan, selection: parameters.names.isEmpty ? nil : parameters.names))
        for name in moved {
            let index = engine.reconciler.instance(sidecar: name.sidecar, replica: name.replica)
            if let index { engine.observe(.portMoved(index)) }
        }
        recordStops()
        settleLoss()
        takeOverChanges(difference)
        let restarted = isFirst ? [] : engine.reconciler.givingWay.subtracting(alreadyGivingWay)
        let summary = ApplySummary(
            difference, of: plan, names: parameters.names, restarted: restarted, idle: idle,
            by: engine.reconciler)
        publish(.applied(summary))
        let lowered = parameters.refreshesEnvironment ? clientLimits.lowered : []
        return Apply.Answer(
            summary: summary, isLeaseHolder: isHolder,
            diagnostics: loaded.diagnostics.filter { $0.severity == .warning },
            loweredLimits: lowered.isEmpty ? nil : lowered, unstored: journalWarning,
            created: isFirst ? created : [], project: plan.project.name)
    }

    private var created: [Apply.Created] {
        let builder = reports
        return engine.reconciler.instances.compactMap { index in
            guard let sidecar = engine.reconciler.name(of: index)?.sidecar,
                let (kind, isPrimary) = engine.reconciler.kind(of: index)
            else { return nil }
            return Apply.Created(
                name: builder.shownName(of: index), sidecar: sidecar, kind: kind, isPrimary: isPrimary ? true : nil)
        }
    }

    /// What the vault is to hold; nothing is kept before all else is known to be right.
    private func secretValues(
        for plan: Plan, _ parameters: Apply.Parameters
    ) throws(ControlError) -> [String: SecretVault.Entry] {
        do throws(SecretVault.Missing) {
            return try secrets.updated(
                for: plan.secrets(neededBy: parameters.names), given: parameters.secrets ?? [:],
                keepsOthers: !parameters.names.isEmpty)
        } catch {
            throw ControlError(
                .invalidParameters,
                "the manifest has changed while it was read: no value was given for \(error.names.joined(separator: ", ")); "
                    + "run the command again")
        }
    }

    private func keep(_ values: [String: SecretVault.Entry]) throws(ControlError) {
        do throws(SystemError) { try secrets.replace(by: values) } catch {
            throw ControlError(.failed, "the secrets cannot be kept, so nothing was changed: \(error)")
        }
    }

    private func checkNames(_ names: [String], in plan: Plan) throws(ControlError) {
        guard let unknown = plan.unknown(among: names) else { return }
        throw ControlError(.unknownSidecar, unknown.sentence, names: unknown.names)
    }

    /// Nobody would ever see the end of one that is not even started.
    private func checkAwaited(_ parameters: Apply.Parameters, in plan: Plan) throws(ControlError) {
        guard let awaited = parameters.awaited, !parameters.names.isEmpty,
            let name = awaited.split(separator: "/").first,
            let position = plan.sidecars.firstIndex(where: { $0.name == name }),
            !plan.closure(of: parameters.names)[position]
        else { return }
        let present = engine.reconciler.instances(named: awaited)
        guard !present.contains(where: { engine.reconciler.status(of: $0)?.isWanted == true }) else { return }
        throw ControlError(
            .conflict,
            "the code of '\(awaited)' is waited for, and it is none of what is started, nor needed by it: name it too")
    }

    private func merged(_ old: Plan?, _ new: Plan, names: [String]) throws(ControlError) -> Plan {
        guard let old, !names.isEmpty else { return new }
        do throws(PlanError) {
            return try old.replacing(names, from: new)
        } catch {
            let cycles = error.cycles.map { $0.joined(separator: " -> ") }.joined(separator: "; ")
            throw ControlError(
                .conflict,
                "the change to \(names.joined(separator: ", ")) does not fit what runs"
                    + (cycles.isEmpty ? "" : " (cycle: \(cycles))") + ". Apply the whole manifest: orchestrate up")
        }
    }

    private func adoptEnvironment(of parameters: Apply.Parameters) {
        inherited = parameters.environment
        workingDirectory = parameters.workingDirectory
        clientUmask = parameters.umask
        if let limits = parameters.limits { clientLimits = ClientLimits(limits, own: host.ownLimits) }
    }

    /// How the project hangs on the client; answers whether this client holds the lease.
    private func attach(_ attachment: Apply.Attachment) throws(ControlError) -> Bool {
        // What goes down is begun anew for whoever asks, and hangs no more on whom it goes down for.
        let isOver = engine.reconciler.isShuttingDown
        switch attachment {
        case .unchanged: return false
        case .detached:
            isDetached = true
            if leases.current != nil { releaseLease(because: "the project was detached by up -d") }
            return false
        case .foreground(let token, let client):
            if leases.isHolder(token) { return true }
            // A second foreground `up` attaches without a lease.
            guard isOver || isNew && leases.current == nil else { return false }
            return try bind(token, to: client, fromWhatIsOver: isOver)
        case .bound(let token, let owner, let otherwise):
            if let current = leases.current?.client, current != owner, !isOver {
                switch otherwise {
                case .attach: return leases.isHolder(token)
                case .refuse: throw LeaseHolder.conflict(with: current)
                }
            }
            return try bind(token, to: owner, fromWhatIsOver: isOver)
        }
    }

    private func bind(
        _ token: String, to owner: ClientIdentity, fromWhatIsOver isOver: Bool
    ) throws(ControlError) -> Bool {
        try leases.take(token, by: owner, fromWhatIsOver: isOver)
        isDetached = false
        publish(.leaseTaken(owner))
        return true
    }

    func releaseLease(because reason: String) {
        leases.release()
        settleLoss()
        publish(.leaseEnded(reason: reason))
    }

    func takeDown(releasingPorts: Bool = false, _ reply: @escaping ControlHandler.Reply) {
        releasesPorts = releasesPorts || releasingPorts
        pendingDowns.append(reply)
        shutDown(by: .user)
    }

    /// What the core takes over by itself is all but this.
    private func takeOverChanges(_ difference: PlanDifference) {
        for entry in difference.entries {
            let keys: [String]
            switch entry.action {
            case .updateInPlace(let changed): keys = changed
            // May have changed as well; those that stay, as their own declaration is back, take it over like any other.
            case .scale, .restart: keys = ["logs", "resources"]
            case .create, .remove, .unchanged: continue
            }
            for index in engine.reconciler.instances(named: entry.sidecar) {
                guard let name = engine.name(of: index), let spec = engine.reconciler.spec(of: index) else { continue }
                if keys.contains("logs") { logs.configure(name.logInstance, spec: spec.logs) }
                if keys.contains("resources") {
                    for process in processes(of: index) { host.limit(process, to: spec.privileges.resources) }
                }
            }
        }
    }

    func cancelPendingDowns(because reason: String) {
        for reply in pendingDowns { reply(.failure(ControlError(.conflict, "down was not finished: \(reason)"))) }
        pendingDowns = []
        releasesPorts = false
        helpers.calm()
    }

    /// Remembered first: a supervisor that is killed on the way goes on with it.
    func shutDown(by initiator: Initiator) {
        if !isNew, !journal.saveEnd() { saveProject(engine.reconciler.plan, isWanted: false) }
        engine.observe(.shutdown(by: initiator))
        stateWatch?.rest()
    }

    func saveProject(_ plan: Plan, isWanted: Bool = true) {
        journal.save(
            ProjectRow(
                identity: location.identity, name: plan.project.name, manifest: manifestPath,
                directory: plan.project.directory, workingDirectory: workingDirectory, plan: sources.encoded,
                environment: inherited.filter { !secretVariables.contains($0.key) }, umask: clientUmask,
                limits: clientLimits.all, seed: seed, isDetached: isDetached, isWanted: isWanted, bootID: bootID))
    }
}
