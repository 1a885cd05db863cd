import SidecarModel
import YAMLReading

extension ManifestDecoder {
    func checkHealth(of sidecar: SidecarSpec, _ position: Int, _ ports: FixedPorts) {
        let health = sidecar.health
        for role in ProbeRole.allCases {
            guard let probe = health[role] else { continue }
            checkPushed(probe, role: role, of: position)
            checkDelay(probe, role: role, of: position)
            checkTransport(probe, role: role, of: position)
            if let number = localPort(of: probe) { checkOwner(of: number, role: role, of: position, ports: ports) }
        }
        checkSuccesses(of: sidecar, position)
        guard let liveness = health.liveness, health.startup == nil, health.readiness == nil,
            liveness.initialDelay == .zero, !liveness.isPushed
        else { return }
        report(
            .livenessBeforeStartup, at: probePlace(position, .liveness),
            "liveness begins at once, while '\(sidecar.name)' may still be starting",
            help: "add a startup or readiness probe, or an initial_delay")
    }

    private func checkPushed(_ probe: Probe, role: ProbeRole, of position: Int) {
        guard probe.isPushed else { return }
        if sidecars[position].kind == .external {
            report(
                .pushedProbeOnExternal, at: probePlace(position, role),
                "nothing is heard from an external sidecar: this check can never succeed",
                help: "use http, tcp, unix, file or exec")
        } else if role == .liveness {
            report(
                .pushedLiveness, at: probePlace(position, role),
                "this check can't fail once it was met, so it says nothing of liveness",
                help: "use it for startup or readiness, and http, tcp or exec for liveness")
        }
    }

    private func checkDelay(_ probe: Probe, role: ProbeRole, of position: Int) {
        let timeout = sidecars[position].start.timeout
        guard role != .liveness, timeout > .zero, probe.initialDelay >= timeout else { return }
        report(
            .probeAfterStartTimeout, at: probePlace(position, role),
            "the first check comes after start.timeout is over, so every start fails",
            help: "shorten initial_delay, or lengthen start.timeout")
    }

    /// The first success may come at once, each further one a period after the one before; readiness begins when startup
    /// is done. Pushed checks need but one.
    private func checkSuccesses(of sidecar: SidecarSpec, _ position: Int) {
        let timeout = sidecar.start.timeout
        guard timeout > .zero else { return }
        var total = Duration.zero
        for role in [ProbeRole.startup, .readiness] {
            guard let probe = sidecar.health[role], !probe.isPushed, probe.initialDelay < timeout else { continue }
            let most = probe.period * (probe.successThreshold - 1)
            total += probe.initialDelay + most
            guard most > .zero, total >= timeout else { continue }
            report(
                .probeAfterStartTimeout, at: probePlace(position, role),
                "\(probe.successThreshold) successes in a row take \(total.spelling) at least, and start.timeout "
                    + "is \(timeout.spelling), so every start fails",
                help: "lower success_threshold, shorten period, or lengthen start.timeout")
            return
        }
    }

    /// What listens on a port of one transport need not listen on the other's of the same number.
    private func checkTransport(_ probe: Probe, role: ProbeRole, of position: Int) {
        let name: String
        switch probe.check {
        case .http(let http):
            guard case .named(let port) = http.port else { return }
            name = port
        case .tcp(.named(let port), _): name = port
        case .tcp, .exec, .unix, .file, .log, .notify: return
        }
        guard let port = sidecars[position].ports.first(where: { $0.name == name }), port.transport == .udp else {
            return
        }
        report(
            .probeOfUDPPort, at: probePlace(position, role),
            "the port '\(name)' is a udp port, and this check connects by tcp",
            help: "use exec with a program that asks it, or check a tcp port",
            related: [related("udp here", place(position, "ports", name))])
    }

    /// A number on this machine; ports by name are its own by construction.
    private func localPort(of probe: Probe) -> UInt16? {
        switch probe.check {
        case .http(let http):
            guard case .number(let number) = http.port, isLocal(http.host) else { return nil }
            return number
        case .tcp(.number(let number), let host): return isLocal(host) ? number : nil
        case .tcp, .exec, .unix, .file, .log, .notify: return nil
        }
    }

    private func isLocal(_ host: Template?) -> Bool {
        guard let host else { return true }
        return ["localhost", "127.0.0.1", "::1", "0.0.0.0"].contains(host.literal ?? "")
    }

    private func checkOwner(of number: UInt16, role: ProbeRole, of position: Int, ports: FixedPorts) {
        let owners = ports.owners(of: number, .tcp).filter { sidecars[$0.sidecar].kind != .external }
        guard let owner = owners.first?.sidecar, !owners.contains(where: { $0.sidecar == position }),
            sidecars[position].kind != .external
        else { return }
        let isOwn = sidecars[position].ports.contains { port in
            switch port.wanted {
            case .number(let own): own == number
            case .range(let first, let last): (first...last).contains(number)
            case .automatic: false
            }
        }
        guard !isOwn else { return }
        report(
            .probeHitsOtherSidecar, at: probePlace(position, role),
            "port \(number) is that of '\(sidecars[owner].name)', so this checks the other one",
            help: "check a port of '\(sidecars[position].name)'",
            related: [related("declared here", place(owner, "ports"))])
    }

    func probePlace(_ position: Int, _ role: ProbeRole) -> NodeID {
        let health = place(position, "health")
        return document.entry(role.rawValue, in: health)?.key ?? health
    }
}
