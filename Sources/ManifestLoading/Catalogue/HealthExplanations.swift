let healthExplanations: [RuleExplanation] = [
    RuleExplanation(
        .probeWithoutCheck, "A probe needs something to look at.",
        before: "sidecars:\n  web:\n    command: [./web]\n    health: { period: 5s }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    health: { unix: run/web.sock, period: 5s }\n"),
    RuleExplanation(
        .probeWithSeveralChecks, "One probe, one check: with two it is unclear which one failed.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { http: /, tcp: http }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { readiness: { http: / }, liveness: { tcp: http } }\n"),
    RuleExplanation(
        .probeNeedsPort, "The port is left out only when there is exactly one.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080, admin: 8081 }\n    health: { http: / }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080, admin: 8081 }\n"
            + "    health: { http: { path: /, port: http } }\n"),
    RuleExplanation(
        .unsupportedProbe, "This version does plain HTTP, TCP, commands, Unix sockets, files, log lines and sd_notify.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { grpc: { port: http } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { tcp: http }\n"),
    RuleExplanation(
        .invalidStatus, "HTTP's statuses are from 100 to 599.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { http: { path: /, status: 2xx } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { http: { path: /, status: 200-299 } }\n"),
    RuleExplanation(
        .invalidPattern, "Patterns are POSIX extended regular expressions.",
        before: "sidecars:\n  web:\n    command: [./web]\n    health: { log: \"ready (on\" }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    health: { log: \"ready on\" }\n"),
    RuleExplanation(
        .invalidHTTPRequest, "The request would be none that a server understands.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { http: health }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { http: /health }\n"),
    RuleExplanation(
        .invalidHost, "There is nobody of that name, so the check would never succeed.",
        before: "sidecars:\n  web:\n    command: [./web]\n    health: { tcp: { port: 8080, host: \"my host\" } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    health: { tcp: { port: 8080, host: 127.0.0.1 } }\n"),
    RuleExplanation(
        .healthMixed, "`health` is either one probe, or probes by their role.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { readiness: { http: / }, period: 5s }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { readiness: { http: /, period: 5s } }\n"),
    RuleExplanation(
        .pushedLiveness, "A log line or a notification comes once and is never taken back.",
        before: "sidecars:\n  web:\n    command: [./web]\n    health: { liveness: { log: ready } }\n",
        after:
            "sidecars:\n  web:\n    command: [./web]\n    health: { startup: { log: ready }, liveness: { exec: [./check] } }\n"
    ),
    RuleExplanation(
        .pushedProbeOnExternal, "We hold neither its output nor its notification socket.",
        before: "sidecars:\n  db:\n    kind: external\n    health: { log: ready }\n",
        after: "sidecars:\n  db:\n    kind: external\n    health: { tcp: { port: 5432 } }\n"),
    RuleExplanation(
        .externalWithoutProbe, "All that is done for an external sidecar is to probe it.",
        before: "sidecars:\n  db:\n    kind: external\n",
        after: "sidecars:\n  db:\n    kind: external\n    health: { tcp: { port: 5432 } }\n"),
    RuleExplanation(
        .livenessBeforeStartup,
        "A liveness probe restarts what fails it, and a program that is still starting fails it. Before its first success "
            + "that counts from `start.timeout` on, and until then nothing says whether it is ready.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { liveness: { http: / } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { startup: { http: / }, liveness: { http: / } }\n"),
    RuleExplanation(
        .probeAfterStartTimeout,
        "Not healthy by `start.timeout` is a failed start, and nothing is healthy before its first check, or before as "
            + "many as `success_threshold` asks for, a period apart.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { http: /, initial_delay: 90s }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"
            + "    health: { http: /, initial_delay: 90s }\n    start: { timeout: 3m }\n"),
    RuleExplanation(
        .probeOfUDPPort,
        "Whatever listens by udp hears nothing of a tcp connection, so the check mostly can't succeed.",
        before: "sidecars:\n  dns:\n    command: [./dns]\n    ports: { dns: { port: 5353, protocol: udp } }\n"
            + "    health: { tcp: dns }\n",
        after: "sidecars:\n  dns:\n    command: [./dns]\n    ports: { dns: { port: 5353, protocol: udp } }\n"
            + "    health: { exec: [./ask-dns] }\n"),
    RuleExplanation(
        .probeHitsOtherSidecar, "The answer says how the other one is.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n  api:\n    command: [./api]\n"
            + "    health: { http: { path: /, port: 8080 } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n  api:\n    command: [./api]\n"
            + "    ports: { http: 8081 }\n    health: { http: / }\n"),
]

/// Start, restart, stop, hooks.
let lifecycleExplanations: [RuleExplanation] = [
    RuleExplanation(
        .settleExceedsTimeout,
        "Without a probe it is healthy after `settle`, and by then `timeout` has called it failed.",
        before: "sidecars:\n  web:\n    command: [./web]\n    start: { timeout: 5s, settle: 10s }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    start: { timeout: 30s, settle: 10s }\n"),
    RuleExplanation(
        .maxDelayBelowDelay, "The delay is cut to `max_delay` from the first time on, which is hardly meant.",
        before: "sidecars:\n  web:\n    command: [./web]\n    restart: { delay: 1m, max_delay: 10s }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    restart: { delay: 10s, max_delay: 1m }\n"),
    RuleExplanation(
        .noRestartAfterSuccess,
        "After a code of `no_restart_codes` a sidecar has failed for good. A code can't be that and a success.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    restart: { success_codes: [3], no_restart_codes: [3, 78] }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    restart: { success_codes: [3], no_restart_codes: [78] }\n"),
    RuleExplanation(
        .taskRestartsAlways,
        "A task is done when it exits. Restarted after a success, it is never done, and who waits for "
            + "it waits for ever.",
        before: "sidecars:\n  migrate:\n    kind: task\n    command: [./migrate]\n    restart: always\n",
        after: "sidecars:\n  migrate:\n    kind: task\n    command: [./migrate]\n    restart: on-failure\n"),
    RuleExplanation(
        .timeoutNeedsTask,
        "Services run until they are stopped. For the time a start may take there is `start.timeout`.",
        before: "sidecars:\n  web:\n    command: [./web]\n    timeout: 5m\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    start: { timeout: 5m }\n"),
    RuleExplanation(
        .stopBySIGKILL, "SIGKILL can't be caught: nothing is flushed, nothing is finished, children are left behind.",
        before: "sidecars:\n  web:\n    command: [./web]\n    stop: { signal: SIGKILL }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    stop: { signal: SIGTERM, grace: 1s }\n"),
    RuleExplanation(
        .stepsAndSignal, "The steps say every signal and every wait.",
        before: "sidecars:\n  web:\n    command: [./web]\n"
            + "    stop: { signal: SIGINT, steps: [{ signal: SIGTERM, wait: 5s }] }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"
            + "    stop: { steps: [{ signal: SIGINT, wait: 5s }, { signal: SIGTERM, wait: 5s }] }\n"),
    RuleExplanation(
        .stdioNeedsService,
        "A client attaches to what runs until it is stopped. A task would wait for one before it is done, and what is "
            + "external has no input or output here.",
        before: "sidecars:\n  migrate:\n    kind: task\n    command: [./migrate]\n    stdio: socket\n",
        after: "sidecars:\n  migrate:\n    kind: task\n    command: [./migrate]\n"),
    RuleExplanation(
        .stdioMergesOutputs,
        "What a client reads is a protocol, and one line of stderr in it breaks it. stderr goes to the log.",
        before: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: socket\n    logs: { merge_stderr: true }\n",
        after: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: socket\n"),
    RuleExplanation(
        .stdioPerClient,
        "With 'stdio: per_client' nothing runs until a client comes, and then a process for each: there is none that could "
            + "be probed, they can't share a port, their number is that of the clients, and the end of one is nobody "
            + "else's.",
        before: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: per_client\n    replicas: 2\n",
        after: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: per_client\n"),
    RuleExplanation(
        .ignoredPerClient,
        "With 'stdio: per_client' a process begins when its client comes and ends with it: none is started before, and "
            + "none is started again. Only a pre_start hook can fail, or take too long.",
        before: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: per_client\n    restart: always\n",
        after: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: per_client\n"),
    RuleExplanation(
        .stdioHidesLogProbe,
        "While a client is attached, stdout is the client's alone: a line printed then is not in the log, and no probe "
            + "finds it.",
        before: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: socket\n    health: { log: ready }\n",
        after: "sidecars:\n  mcp:\n    command: [./mcp]\n    stdio: socket\n"
            + "    health: { log: { pattern: ready, stream: stderr } }\n"),
    RuleExplanation(
        .hookWithoutAction, "There is nothing to do at that moment.",
        before: "sidecars:\n  web:\n    command: [./web]\n    hooks: { on_crash: { timeout: 5s } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    hooks: { on_crash: { exec: [./notify], timeout: 5s } }\n"),
    RuleExplanation(
        .hookWithSeveralActions, "One hook, one action: a script can do both.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    hooks: { on_crash: { exec: [./notify], shell: ./log } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    hooks: { on_crash: { shell: ./log; ./notify } }\n"),
    RuleExplanation(
        .invalidWebhook, "Webhooks are sent over plain HTTP, to a host and a port, without a user name.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    hooks: { on_crash: { webhook: \"https://example.com/hook\" } }\n",
        after:
            "sidecars:\n  web:\n    command: [./web]\n    hooks: { on_crash: { webhook: \"http://127.0.0.1:9000/hook\" } }\n"
    ),
]
