package import ControlAPI
import Planning
import SidecarModel
package import StateStore
package import Supervision

/// Why there can be no report.
package enum CrashReportError: Error, Sendable, CustomStringConvertible {
    /// Nothing is known of it.
    case unknown(String)
    case journal(StoreError)
    case write(SystemError)

    package var description: String {
        switch self {
        case .unknown(let name): "nothing is known of '\(name)': it was never started"
        case .journal(let error): "\(error)"
        case .write(let error): "cannot write the report: \(error)"
        }
    }
}

/// Where a report takes its facts from: the journal, the logs and the records, and what a living supervisor adds.
package struct CrashReportSource: Sendable {
    let location: ProjectLocation
    let sidecar: String
    let replica: Int
    var logDirectory: String
    private var declaration: Declaration?
    /// What `status` says of it.
    package var live: InstanceReport?
    package var containment: ContainmentReport?

    private struct Declaration: Sendable {
        var fingerprints: [KeyFingerprint]
        var dependencies: [String]
        var replicas: Int
        var environment: [String]
    }

    private static let ownSteps = 200
    private static let stepsOfEach = 40

    /// With the declaration from the journal: the one it was last brought up with.
    package init(_ location: ProjectLocation, sidecar: String, replica: Int) {
        self.init(location, sidecar: sidecar, replica: replica, spec: nil, inherited: nil)
        guard let project = (try? StateStore(reading: location.journalPath).project()) ?? nil,
            let plan = PlanSources(encoded: project.plan)?.makePlan(),
            let spec = plan.sidecars.first(where: { $0.name == sidecar })
        else { return }
        declare(spec, InheritedEnvironment(project.environment))
    }

    init(
        _ location: ProjectLocation, sidecar: String, replica: Int, spec: SidecarSpec?,
        inherited: InheritedEnvironment?
    ) {
        self.location = location
        self.sidecar = sidecar
        self.replica = replica
        logDirectory = location.logsDirectory
        if let spec, let inherited { declare(spec, inherited) }
    }

    private mutating func declare(_ spec: SidecarSpec, _ inherited: InheritedEnvironment) {
        logDirectory = spec.logs.directory ?? location.logsDirectory
        declaration = Declaration(
            fingerprints: spec.fingerprints, dependencies: spec.dependencies.map(\.sidecar),
            replicas: spec.replicas, environment: SidecarEnvironment.names(of: spec, inherited))
    }

    var instance: LogInstance { LogInstance(sidecar: sidecar, replica: replica) }

    // MARK: Gathering

    func gather() throws(CrashReportError) -> CrashReport {
        do throws(StoreError) {
            return try gathered(from: try StateStore(reading: location.journalPath))
        } catch .absent {
            throw .unknown(sidecar)
        } catch {
            throw .journal(error)
        }
    }

    private func gathered(from store: StateStore) throws(StoreError) -> CrashReport {
        let project = try store.project()
        let row = try store.instances().first { $0.sidecar == sidecar && $0.replica == replica }
        let own = try store.transitions(of: sidecar, limit: Self.ownSteps).filter { $0.replica == replica }
        // After a down the journal is all that is left of it.
        let last = own.last
        guard row != nil || last != nil else { throw .absent(path: location.journalPath) }
        let incarnation = row?.incarnation ?? last?.incarnation ?? 0
        var report = CrashReport(
            madeAt: WallClock.now, kernel: Kernel.release, project: project?.name ?? location.identity,
            manifest: project?.manifest ?? "", instance: "\(instance)", sidecar: sidecar,
            replica: replica, state: row?.state ?? last?.to ?? .stopped, reason: row?.reason ?? last?.cause ?? "",
            since: Timestamp(microseconds: row?.sinceWall ?? last?.atWall ?? 0), incarnation: incarnation,
            restartsTotal: row?.restartsTotal ?? 0, consecutiveFailures: row?.consecutiveFailures ?? 0,
            lastExit: row?.lastExit.map(ExitReport.init), ports: [], containment: containment,
            lastProbe: live?.lastProbe, environment: declaration?.environment ?? [], probes: [], journal: [])
        report.usage = usage(incarnation) ?? live?.usage.map(CrashReport.Usage.init)
        report.ports = try store.ports().filter { $0.sidecar == sidecar && $0.replica == replica }
            .map { CrashReport.Port(name: $0.name, number: $0.number) }
        report.changes = changes(store.goodRun(of: sidecar))
        var steps = own
        for name in declaration?.dependencies ?? [] {
            steps += try store.transitions(of: name, limit: Self.stepsOfEach)
        }
        // Numbered where there are several, as everywhere.
        var numbered = Set(steps.filter { $0.replica > 0 }.map(\.sidecar))
        if replica > 0 || declaration.map({ $0.replicas > 1 }) ?? false { numbered.insert(sidecar) }
        func name(_ sidecar: String, _ replica: Int) -> String {
            numbered.contains(sidecar) ? "\(sidecar)/\(replica)" : sidecar
        }
        report.instance = live?.name ?? name(sidecar, replica)
        report.probes = own.filter { $0.initiator == .probe }.map { .init($0, name: name($0.sidecar, $0.replica)) }
        report.journal = steps.sorted { $0.id < $1.id }.map { .init($0, name: name($0.sidecar, $0.replica)) }
        return report
    }

    private func usage(_ incarnation: UInt64) -> CrashReport.Usage? {
        LastUsage(records: location.spawnRecordsPath, name: "\(instance)", incarnation: incarnation).map {
            CrashReport.Usage(
                cpuMilliseconds: $0.cpuMicroseconds / 1000, maximumMemoryBytes: $0.maximumMemoryKiB.map { $0 << 10 },
                memoryBoundBytes: $0.memoryBoundKiB << 10)
        }
    }

    private func changes(_ good: GoodRunRow?) -> CrashReport.Changes? {
        guard let good, let declaration else { return nil }
        let now = declaration.fingerprints.map { (key: $0.key, value: $0.value) }
        return CrashReport.Changes(since: Timestamp(microseconds: good.atWall), keys: good.changes(to: now))
    }
}

extension CrashReport.Step {
    fileprivate init(_ row: TransitionRow, name: String) {
        self.init(
            at: Timestamp(microseconds: row.atWall), instance: name,
            incarnation: row.incarnation, from: row.from, to: row.to, initiator: row.initiator, cause: row.cause,
            causedBy: row.causedBy)
    }
}

extension CrashReport.Usage {
    fileprivate init(_ usage: UsageReport) {
        self.init(
            cpuMilliseconds: UInt64(max(0, usage.cpuMilliseconds)), memoryBytes: usage.memoryBytes,
            maximumMemoryBytes: nil, memoryBoundBytes: nil)
    }
}
