let portExplanations: [RuleExplanation] = [
    RuleExplanation(
        .invalidPort, "Ports are numbers from 1 to 65535.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 80800 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"),
    RuleExplanation(
        .invalidPortName, "The name becomes part of a variable and of references.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { \"my port\": 8080 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n"),
    RuleExplanation(
        .portRangeReversed, "A range begins with its smaller number.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8200-8080 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080-8200 }\n"),
    RuleExplanation(
        .portRangeTooSmall, "Each replica needs a port of its own, and the last ones get none.",
        before: "sidecars:\n  web:\n    command: [./web]\n    replicas: 3\n    ports: { http: 8080-8081 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    replicas: 3\n    ports: { http: 8080-8099 }\n"),
    RuleExplanation(
        .portRangesTooFull, "Each port needs a number of its own, and one of them would never get any.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { a: 8080-8081, b: 8080-8081, c: 8080-8081 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { a: 8080-8089, b: 8080-8089, c: 8080-8089 }\n"),
    RuleExplanation(
        .fixedPortWithReplicas, "Two processes can't listen on one port.",
        before: "sidecars:\n  web:\n    command: [./web]\n    replicas: 2\n    ports: { http: 8080 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    replicas: 2\n    ports: { http: 8080-8099 }\n"),
    RuleExplanation(
        .portUsedTwice, "Two sidecars can't listen on one port: whoever comes second fails.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n  api:\n    command: [./api]\n"
            + "    ports: { http: 8080 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n  api:\n    command: [./api]\n"
            + "    ports: { http: 8081 }\n"),
    RuleExplanation(
        .portVariableClash,
        "One variable can't carry two ports, nor one in place of what programs go by, such as `PATH`.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { my-http: 8080, my_http: 8081 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080, admin: 8081 }\n"),
    RuleExplanation(
        .invalidBindAddress, "The address is bound as it stands; a name could mean several.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: { port: 8080, bind: localhost } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: { port: 8080, bind: 127.0.0.1 } }\n"),
    RuleExplanation(
        .portUnavailable,
        "As things are, the start will fail: another program or project has the port, or this user may not bind it. What "
            + "the project of this manifest has itself is in order. `--no-host` skips this check.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    ports: { http: 80 }\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    ports: { http: 8080-8130 }\n"),
    RuleExplanation(
        .unknownPort, "Ports are named under `ports:`.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { tcp: htp }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    health: { tcp: http }\n"),
]

let dependencyExplanations: [RuleExplanation] = [
    RuleExplanation(
        .unknownDependency, "It would wait for ever.",
        before:
            "sidecars:\n  web:\n    command: [./web]\n    depends_on: [databse]\n  database:\n    command: [./db]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    depends_on: [database]\n  database:\n    command: [./db]\n"
    ),
    RuleExplanation(
        .selfDependency, "It would wait for itself.",
        before: "sidecars:\n  web:\n    command: [./web]\n    depends_on: [web]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .duplicateDependency, "One of the two is superfluous, or means another sidecar.",
        before: "sidecars:\n  web:\n    command: [./web]\n    depends_on: [db, db]\n  db:\n    command: [./db]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    depends_on: [db]\n  db:\n    command: [./db]\n"),
    RuleExplanation(
        .dependencyCycle, "Each waits for the next, and none ever starts.",
        before:
            "sidecars:\n  a:\n    command: [./a]\n    depends_on: [b]\n  b:\n    command: [./b]\n    depends_on: [c]\n"
            + "  c:\n    command: [./c]\n    depends_on: [a]\n",
        after:
            "sidecars:\n  a:\n    command: [./a]\n    depends_on: [b]\n  b:\n    command: [./b]\n    depends_on: [c]\n"
            + "  c:\n    command: [./c]\n"),
    RuleExplanation(
        .healthyWithoutReadiness,
        "Without a probe, healthy is a guess: alive for `start.settle`. The dependent may start "
            + "before anyone answers.",
        before:
            "sidecars:\n  db:\n    command: [./db]\n  web:\n    command: [./web]\n    depends_on: { db: healthy }\n",
        after:
            "sidecars:\n  db:\n    command: [./db]\n    health: { unix: run/db.sock }\n  web:\n    command: [./web]\n"
            + "    depends_on: { db: healthy }\n"),
    RuleExplanation(
        .succeededOnService, "A service is meant to run for ever, and the condition holds only after its end.",
        before: "sidecars:\n  migrate:\n    command: [./migrate]\n  web:\n    command: [./web]\n"
            + "    depends_on: { migrate: succeeded }\n",
        after: "sidecars:\n  migrate:\n    kind: task\n    command: [./migrate]\n  web:\n    command: [./web]\n"
            + "    depends_on: { migrate: succeeded }\n"),
    RuleExplanation(
        .quorumExceedsReplicas, "There will never be as many instances.",
        before: "sidecars:\n  db:\n    command: [./db]\n    replicas: 2\n  web:\n    command: [./web]\n"
            + "    depends_on: { db: { quorum: 3 } }\n",
        after: "sidecars:\n  db:\n    command: [./db]\n    replicas: 2\n  web:\n    command: [./web]\n"
            + "    depends_on: { db: { quorum: 1 } }\n"),
    RuleExplanation(
        .dependencyWithoutReplicas, "All of no instances hold any condition, so nothing is waited for.",
        before:
            "sidecars:\n  db:\n    command: [./db]\n    replicas: 0\n  web:\n    command: [./web]\n    depends_on: [db]\n",
        after:
            "sidecars:\n  db:\n    command: [./db]\n    replicas: 1\n  web:\n    command: [./web]\n    depends_on: [db]\n"
    ),
]
