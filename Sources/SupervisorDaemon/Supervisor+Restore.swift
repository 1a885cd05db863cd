import ControlAPI
import Glibc
import Planning
import Reconciliation
import SidecarModel
import StateStore
import Supervision

// Taking up what an earlier supervisor of this project left.
extension Supervisor {
    /// What the store says of the project, as far as it belongs to this boot.
    struct Memory {
        var project: ProjectRow
        var sources: PlanSources
        var plan: Plan
        var instances: [InstanceRow]
        var lease: LeaseRow?
    }

    func remember(_ ports: [PortRow]) {
        for row in ports {
            remembered[InstanceName(sidecar: row.sidecar, replica: row.replica), default: []].append(
                (row.name, row.number))
        }
    }

    /// Without a memory: whatever sidecars still live are ended in order, and none is doubled meanwhile.
    func takeUpLeftovers() {
        let all = takeUpProcesses()
        let found = all.sidecars
        engine.restore(
            found.compactMap { process in
                guard let name = InstanceName(indexed: process.name) else { return nil }
                let record = InstanceRecord(
                    sidecar: name.sidecar, replica: name.replica, state: .stopping, incarnation: process.incarnation,
                    isWanted: false, since: loop.now, reason: "left by an earlier life of the project")
                return (record, Survival(process.condition))
            })
        for process in found { connect(process) }
        takeUpClients(all.clients)
    }

    /// Takes every process there is up, and says to the core what became of each.
    func takeUp(_ memory: Memory) {
        isNew = false
        journal.takeUp(memory.project)
        secretVariables = memory.plan.secretVariables
        manifestPath = memory.project.manifest
        workingDirectory = memory.project.workingDirectory
        inherited = memory.project.environment
        clientUmask = memory.project.umask
        clientLimits = ClientLimits(memory.project.limits, own: host.ownLimits)
        isDetached = memory.project.isDetached
        sources = memory.sources
        if let last = memory.instances.max(by: { $0.since < $1.since }) {
            WallClock.resume(Timestamp(microseconds: last.sinceWall), of: last.since)
        }
        prepareForeignNotifySocket(for: memory.plan)
        takeUpPorts(memory)
        let found = takeUpProcesses()
        let servesEach = sidecarsPerClient(memory.plan)
        var doors: [(DoorRestoration, InstanceRow)] = []
        var records: [(InstanceRecord, Survival)] = []
        for row in memory.instances {
            if servesEach.contains(row.sidecar) {
                let door = restoreDoor(of: row)
                doors.append((door, row))
                records.append((row.record, door.survival))
                continue
            }
            let name = InstanceName(sidecar: row.sidecar, replica: row.replica)
            let process = found.sidecars.first { $0.name == name.indexed && $0.incarnation == row.incarnation }
            records.append((row.record, process.map { Survival($0.condition) } ?? .neverSpawned))
        }
        if !memory.project.isWanted {
            // An end that the last supervisor asked for may not be on record as such: none is a crash.
            for place in records.indices { records[place].0.isWanted = false }
        }
        engine.restore(records)
        for process in found.sidecars { connect(process) }
        for (door, row) in doors { admit(door, of: row) }
        takeUpClients(found.clients)
        resumeLogs()
        recordStops()
        if !memory.project.isWanted { engine.observe(.shutdown(by: .supervisor)) }
        if let lease = memory.lease { leases.restore(lease) }
        if memory.project.isWanted, !engine.reconciler.isShuttingDown { settleLoss() }
    }

    /// The project was to end with its supervision, and nobody was left to see to that: what lives of it is ended, in
    /// order and as its manifest says, and nothing else of it is taken up.
    func endLeftovers(_ memory: Memory) {
        manifestPath = memory.project.manifest
        workingDirectory = memory.project.workingDirectory
        inherited = memory.project.environment
        clientUmask = memory.project.umask
        clientLimits = ClientLimits(memory.project.limits, own: host.ownLimits)
        sources = memory.sources
        takeUpPorts(memory)
        let found = takeUpProcesses()
        let servesEach = sidecarsPerClient(memory.plan)
        let doors = memory.instances.filter { servesEach.contains($0.sidecar) }
        engine.restore(
            memory.instances.map { row in
                let name = InstanceName(sidecar: row.sidecar, replica: row.replica)
                let process = found.sidecars.first { $0.name == name.indexed && $0.incarnation == row.incarnation }
                var record = row.record
                record.isWanted = false
                record.end = nil
                record.state = process == nil ? .stopped : .stopping
                record.reason = "its supervision was lost"
                guard servesEach.contains(row.sidecar) else {
                    return (record, process.map { Survival($0.condition) } ?? .neverSpawned)
                }
                record.state = .stopping
                return (record, .alive(pid: nil))
            })
        for process in found.sidecars { connect(process) }
        for row in doors { admit(DoorRestoration(survival: .alive(pid: nil)), of: row) }
        takeUpClients(found.clients)
        resumeLogs()
        // A supervisor after us goes on with it.
        saveProject(memory.plan, isWanted: false)
        journal.save(nil as LeaseRow?)
        sources = PlanSources()
        host.tookUpLeftovers()
    }

    private func takeUpPorts(_ memory: Memory) {
        for spec in memory.plan.sidecars where !spec.ports.isEmpty {
            for replica in 0..<spec.replicas {
                let name = InstanceName(sidecar: spec.name, replica: replica)
                let known = remembered[name] ?? []
                // Those it runs with: not to be bound or moved by us.
                addresses.assign(
                    spec.ports.compactMap { port in known.first { $0.name == port.name } }, to: name, of: spec)
            }
        }
        assignPorts(in: memory.plan, areRunning: true)
    }

    private struct TakenUp {
        var sidecars: [AdoptedProcess] = []
        /// Of those that run a process for each client.
        var clients: [AdoptedProcess] = []
    }

    /// Hooks and probes of the earlier supervisor have nobody left to answer to: they are ended.
    private func takeUpProcesses() -> TakenUp {
        sessions.takeReturned()
        var found = TakenUp()
        for process in host.adopt() {
            switch process.kind {
            case .sidecar: found.sidecars.append(process)
            case .client: found.clients.append(process)
            case .hook, .probe: helpers.endAdopted(process.id)
            }
        }
        return found
    }

    private func sidecarsPerClient(_ plan: Plan) -> Set<String> {
        Set(plan.sidecars.filter { $0.stdio == .perClient }.map(\.name))
    }

    /// A process whose life the core does not know any more belongs to nobody: it is ended.
    private func connect(_ process: AdoptedProcess) {
        guard let name = InstanceName(indexed: process.name),
            let index = engine.reconciler.instance(sidecar: name.sidecar, replica: name.replica),
            engine.reconciler.status(of: index)?.incarnation.number == process.incarnation
        else { return helpers.endAdopted(process.id) }
        lives.add(process.id, of: index, Incarnation(process.incarnation))
    }

    /// Those that run come first: what has ended can be read later, where there are no descriptors for all.
    private func resumeLogs() {
        resumeLogs { $0.pid != nil }
        resumeLogs { $0.pid == nil }
    }

    private func resumeLogs(where isMeant: (InstanceStatus) -> Bool) {
        for index in engine.reconciler.instances {
            guard let name = engine.name(of: index), let spec = engine.reconciler.spec(of: index),
                let status = engine.reconciler.status(of: index), status.incarnation.number > 0, spec.kind != .external,
                isMeant(status)
            else { continue }
            let patterns = probes.patterns(of: spec, index, status.incarnation)
            if spec.stdio == .socket { clients.restore(name) }
            do throws(SystemError) {
                let ends = try logs.adopt(
                    name.logInstance, incarnation: status.incarnation, isRunning: status.pid != nil, spec: spec.logs,
                    patterns: patterns)
                host.hold(key: name.holdKey, ends)
            } catch {
                // Its next start reads it, once there is room for that.
                if error.errno == EMFILE, status.pid == nil { continue }
                conditions.append("the log of '\(name.indexed)' cannot be continued: \(error)")
            }
        }
    }
}

extension Survival {
    fileprivate init(_ condition: AdoptedProcess.Condition) {
        switch condition {
        case .alive(let pid): self = .alive(pid: pid)
        case .exited(let status): self = .exited(status)
        }
    }
}
