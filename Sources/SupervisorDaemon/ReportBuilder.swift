import ControlAPI
import Planning
import Reconciliation
import SidecarModel
import Supervision

/// Turns what the core and the shell know of an instance into what the wire says of it.
struct ReportBuilder {
    let clock: WallClock
    let reconciler: Reconciler
    let addresses: AddressBook
    let clients: (InstanceIndex) -> ClientBook

    init(reconciler: Reconciler, addresses: AddressBook, clients: @escaping (InstanceIndex) -> ClientBook) {
        clock = WallClock()
        self.reconciler = reconciler
        self.addresses = addresses
        self.clients = clients
    }

    func report(of index: InstanceIndex, usage: UsageReport? = nil) -> InstanceReport? {
        guard let status = reconciler.status(of: index, at: .now), let spec = reconciler.spec(of: index) else {
            return nil
        }
        let shown = shownName(of: index)
        let book = spec.stdio == .none ? ClientBook() : clients(index)
        return InstanceReport(
            name: shown, sidecar: status.sidecar, replica: status.replica, kind: status.kind, state: status.state,
            isWanted: status.isWanted, incarnation: status.incarnation.number, pid: status.pid,
            startedAt: status.startedAt.map(clock.timestamp), since: clock.timestamp(status.since),
            restartsTotal: status.restartsTotal, consecutiveFailures: status.consecutiveFailures,
            lastExit: status.lastExit.map(ExitReport.init), reason: status.reason, waitingFor: status.waitingFor,
            stop: status.stop.map(stopReport), until: status.until.map(clock.timestamp),
            ports: ports(of: status, spec, shown: shown),
            isUnverified: status.isUnverified, lastProbe: status.lastProbe?.shown, usage: usage,
            isPrimary: spec.primary, socket: book.socket, clients: spec.stdio == .none ? nil : book.clients,
            isRemoved: status.isDeclared ? nil : true, isRestartPending: status.isRestartPending ? true : nil,
            isRestartHalted: status.isRestartHalted ? true : nil,
            neverCompletes: spec.neverCompletes ? true : nil)
    }

    private func stopReport(_ progress: StopProgress) -> StopReport {
        switch progress {
        case .queued: StopReport(.queued)
        case .endingStart: StopReport(.endingStart)
        case .preStop(let next, let at): StopReport(.preStop, next: next, at: clock.timestamp(at))
        case .signalled(let signal, let next, let at):
            StopReport(.signalled, signal: signal, next: next, at: clock.timestamp(at))
        case .clearing(let killAt): StopReport(.clearing, next: .kill, at: clock.timestamp(killAt))
        case .killed: StopReport(.killed)
        case .stuck: StopReport(.stuck)
        }
    }

    /// Nothing was asked whether it is healthy: it is for having lived long enough.
    func isAssumed(_ transition: Transition) -> Bool {
        guard transition.to == .healthy, let spec = reconciler.spec(of: transition.instance) else { return false }
        return spec.stdio != .perClient && spec.kind != .external && spec.health.startup == nil
            && spec.health.readiness == nil
    }

    /// `db` when there is one, `mcp/0` when there are more.
    func shownName(of index: InstanceIndex) -> String {
        guard let (sidecar, replica) = reconciler.name(of: index) else { return "?" }
        return InstanceName(sidecar: sidecar, replica: replica)
            .shown(asOneOfSeveral: reconciler.isOneOfSeveral(index))
    }

    private func ports(of status: InstanceStatus, _ spec: SidecarSpec, shown: String) -> [PortReport] {
        let name = InstanceName(sidecar: status.sidecar, replica: status.replica)
        guard !addresses.isRefused(name) else { return [] }
        let assigned = addresses.ports(of: name)
        return assigned.map { port in
            let declared = spec.ports.first { $0.name == port.name }
            let report = PortReport(
                instance: shown, name: port.name, number: port.number, bind: declared?.bind ?? "127.0.0.1",
                transport: declared?.transport ?? .tcp)
            return spec.isProbedByHTTP(port: port.name) ? report.withURL : report
        }
    }
}

extension InstanceName {
    func shown(asOneOfSeveral: Bool) -> String { asOneOfSeveral ? "\(sidecar)/\(replica)" : sidecar }
}

extension PortReport {
    fileprivate var withURL: PortReport {
        var report = self
        report.url = "http://\(address)"
        return report
    }
}

extension SidecarSpec {
    fileprivate func isProbedByHTTP(port: String) -> Bool {
        ProbeRole.allCases.contains { role in
            guard case .http(let http) = health[role]?.check, http.host == nil else { return false }
            return http.port == .named(port)
        }
    }
}

extension SidecarSpec {
    fileprivate var neverCompletes: Bool {
        switch kind {
        case .task: false
        case .service: restart.policy == .always
        case .external: true
        }
    }
}
