import SidecarModel
import YAMLReading

extension ManifestDecoder {
    func checkLifecycle(of sidecar: SidecarSpec, _ position: Int) {
        let start = sidecar.start
        let hasGate = sidecar.health.readiness != nil || sidecar.health.startup != nil
        if start.timeout > .zero, start.settle >= start.timeout, !hasGate, sidecar.kind == .service {
            report(
                .settleExceedsTimeout, at: place(position, "start"),
                "it must live longer than start.timeout to count as healthy, so every start fails",
                help: "shorten start.settle, or lengthen start.timeout")
        }
        if sidecar.restart.maxDelay < sidecar.restart.delay {
            report(
                .maxDelayBelowDelay, at: place(position, "restart"),
                "max_delay is shorter than delay, so every wait is max_delay",
                help: "raise max_delay, or lower delay")
        }
        checkExitCodes(of: sidecar.restart, position)
        if sidecar.kind == .task, sidecar.restart.policy == .always {
            report(
                .taskRestartsAlways, at: place(position, "restart"),
                "a task that is always restarted is never done", help: "use on-failure, or make it a service")
        }
        if sidecar.kind != .task, sidecar.timeout != nil {
            report(
                .timeoutNeedsTask, at: place(position, "timeout"),
                "'timeout' limits the run of a task, and '\(sidecar.name)' is none",
                help: "remove it, or make it 'kind: task'")
        }
        checkStop(sidecar, position)
        if sidecar.stdio != .none { checkStandardIO(of: sidecar, position) }
    }

    private func checkExitCodes(of restart: RestartSpec, _ position: Int) {
        for code in restart.noRestartCodes where code == 0 || restart.successCodes.contains(code) {
            let isZero = code == 0
            report(
                .noRestartAfterSuccess, at: place(position, "restart", "no_restart_codes"),
                isZero
                    ? "exit 0 is always a success, and no_restart_codes would make it a failure"
                    : "exit \(code) is in success_codes, and no_restart_codes would make it a failure",
                help: isZero
                    ? "remove it; with policy: on-failure nothing is restarted after a success"
                    : "keep it in one of them",
                related: isZero ? [] : [related("a success here", place(position, "restart", "success_codes"))])
        }
    }

    private func checkStop(_ sidecar: SidecarSpec, _ position: Int) {
        if sidecar.stop.signal == .kill || sidecar.stop.steps.first?.signal == .kill {
            report(
                .stopBySIGKILL, at: place(position, "stop"), "SIGKILL leaves no time to finish anything",
                help: "use SIGTERM; SIGKILL follows after 'grace' anyway")
        }
        let own = stopKeys(in: places[position].value)
        guard !sidecar.stop.steps.isEmpty, own.steps != nil else { return }
        for key in own.instead {
            report(
                .stepsAndSignal, at: key, "'\(document.string(key))' has no meaning beside 'steps'",
                help: "make it a step, or remove it")
        }
    }

    /// Whoever attaches takes the output away from all that reads it otherwise.
    private func checkStandardIO(of sidecar: SidecarSpec, _ position: Int) {
        let place = place(position, "stdio")
        guard sidecar.kind == .service else {
            let reason =
                sidecar.kind == .external
                ? "is external, and has no input or output here" : "is a task, and would wait for a client to be done"
            report(
                .stdioNeedsService, at: place, "'\(sidecar.name)' \(reason)",
                help: "remove 'stdio', or make it a service")
            return
        }
        if sidecar.logs.mergesStandardError {
            report(
                .stdioMergesOutputs, at: place,
                "with logs.merge_stderr a client would get what '\(sidecar.name)' says on stderr too",
                help: "remove logs.merge_stderr, or 'stdio'")
        }
        if sidecar.stdio == .perClient { return checkProcessPerClient(of: sidecar, position) }
        for role in ProbeRole.allCases {
            guard case .log(_, let stream) = sidecar.health[role]?.check, stream != .stderr else { continue }
            report(
                .stdioHidesLogProbe, at: probePlace(position, role),
                "what '\(sidecar.name)' prints on stdout goes to the client while one is attached, and this check sees "
                    + "none of it",
                help: "print it on stderr, and say stream: stderr")
        }
    }

    /// What only one process could have, or one that is there without a client.
    private func checkProcessPerClient(of sidecar: SidecarSpec, _ position: Int) {
        func refuse(_ key: String, _ reason: String) {
            report(
                .stdioPerClient, at: place(position, key),
                "'\(sidecar.name)' runs a process for each client, \(reason)",
                help: "remove '\(key)', or use 'stdio: socket', where one process serves one client at a time")
        }
        if ProbeRole.allCases.contains(where: { sidecar.health[$0] != nil }) {
            refuse("health", "and none that could be checked before a client comes")
        }
        if !sidecar.ports.isEmpty { refuse("ports", "and they can't all have one port") }
        if sidecar.replicas > 1 { refuse("replicas", "so there are as many as there are clients") }
        if sidecar.primary { refuse("primary", "and the end of one is not the project's") }
        // A hook before the first client can take too long, and fail.
        for key in ["start", "restart"] where !sidecar.hooks.contains(where: { $0.event == .preStart }) {
            guard let entry = document.entry(key, in: places[position].value) else { continue }
            report(
                .ignoredPerClient, at: entry.key,
                "'\(key)' decides nothing about the processes of '\(sidecar.name)': each begins when its client comes, "
                    + "and who wants another connects again",
                help: "remove it, or use 'stdio: socket', where one process serves one client at a time")
        }
    }
}
