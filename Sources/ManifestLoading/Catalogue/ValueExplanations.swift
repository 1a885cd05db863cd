/// Keys and their values.
let valueExplanations: [RuleExplanation] = [
    RuleExplanation(
        .unknownKey, "A key that is not known does nothing: most often it is a slip, and what it should do is missing.",
        before: "sidecars:\n  web:\n    command: [./web]\n    enviroment: { A: b }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { A: b }\n"),
    RuleExplanation(
        .unsupportedKey,
        "The key is part of the language, and this version does nothing for it yet. Better said than "
            + "silently ignored.",
        before: "sidecars:\n  web:\n    command: [./web]\n    watch: { paths: [src] }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .wrongType, "A list, a mapping or a single value was expected.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: [A=b]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { A: b }\n"),
    RuleExplanation(
        .missingValue, "A key without a value says nothing. Often the value is indented too little.",
        before: "sidecars:\n  web:\n    command: [./web]\n    stop:\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    stop: { grace: 5s }\n"),
    RuleExplanation(
        .missingKey, "The long form of a value needs at least this key.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: { bind: 0.0.0.0 } }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: { port: 8080, bind: 0.0.0.0 } }\n"),
    RuleExplanation(
        .invalidBoolean,
        "Manifests are read by YAML 1.2, where only `true` and `false` are truth values; `yes`, `on` and "
            + "the like are text.",
        before: "sidecars:\n  web:\n    command: [./web]\n    primary: yes\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    primary: true\n"),
    RuleExplanation(
        .invalidNumber, "A number was expected.",
        before: "sidecars:\n  web:\n    command: [./web]\n    replicas: two\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    replicas: 2\n"),
    RuleExplanation(
        .outOfRange, "The value is beyond what makes sense, or what can be kept.",
        before: "sidecars:\n  web:\n    command: [./web]\n    replicas: 5000\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    replicas: 50\n"),
    RuleExplanation(
        .invalidChoice, "The value is one of a few words.",
        before: "sidecars:\n  web:\n    command: [./web]\n    restart: unless-stopped\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    restart: always\n"),
    RuleExplanation(
        .invalidSignal, "Signals are named as in `kill -l`, with or without SIG, or given by number.",
        before: "sidecars:\n  web:\n    command: [./web]\n    stop: { signal: SIGQUITE }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    stop: { signal: SIGQUIT }\n"),
    RuleExplanation(
        .invalidDuration, "Durations are numbers with units, each once and the largest first.",
        before: "sidecars:\n  web:\n    command: [./web]\n    stop: { grace: soon }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    stop: { grace: 1m30s }\n"),
    RuleExplanation(
        .invalidSize, "Sizes are a number with a unit: KiB, MiB, GiB by 1024, kB, MB, GB by 1000.",
        before: "sidecars:\n  web:\n    command: [./web]\n    logs: { max_size: 10megs }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    logs: { max_size: 10MiB }\n"),
    RuleExplanation(
        .missingUnit,
        "Some tools count in seconds, some in milliseconds: a bare number would be misread by half of the "
            + "readers.",
        before: "sidecars:\n  web:\n    command: [./web]\n    stop: { grace: 30 }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    stop: { grace: 30s }\n"),
]

/// Variables and references.
let variableExplanations: [RuleExplanation] = [
    RuleExplanation(
        .interpolationSyntax,
        "Only `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and references are replaced. A dollar "
            + "sign before a brace that is meant as text is written twice.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: { A: \"${HOME%/}\" }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { A: \"$${HOME%/}\" }\n"),
    RuleExplanation(
        .undefinedVariable,
        "A variable that is not set would become an empty text, and a path or an option without its "
            + "value does something else.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: { LEVEL: \"${LOG_LEVEL}\" }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { LEVEL: \"${LOG_LEVEL:-info}\" }\n"),
    RuleExplanation(
        .requiredVariable, "The manifest says that it can't do without this variable.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: { KEY: \"${LICENCE:?ask the office for one}\" }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { KEY: \"${LICENCE:-trial}\" }\n"),
    RuleExplanation(
        .unknownReference, "References lead to ports, addresses and names that are known when the sidecar starts.",
        before: "sidecars:\n  web:\n    command: [./web, --port, \"${port.http}\"]\n    ports: { http: 8080 }\n",
        after: "sidecars:\n  web:\n    command: [./web, --port, \"${ports.http}\"]\n    ports: { http: 8080 }\n"),
    RuleExplanation(
        .referenceNotAllowed,
        "This value is needed before anything runs, and most of what references name is known only then.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    replicas: ${ports.http}\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    replicas: 1\n"),
    RuleExplanation(
        .referenceWithoutDependency, "The other one may not be up yet, and its port may still move.",
        before: "sidecars:\n  db:\n    command: [./db]\n    ports: { sql: auto }\n  web:\n    command: [./web]\n"
            + "    env: { DB: \"${sidecars.db.ports.sql}\" }\n",
        after: "sidecars:\n  db:\n    command: [./db]\n    ports: { sql: auto }\n  web:\n    command: [./web]\n"
            + "    env: { DB: \"${sidecars.db.ports.sql}\" }\n    depends_on: [db]\n"),
    RuleExplanation(
        .ambiguousReplica, "Each replica has a port of its own.",
        before: "sidecars:\n  api:\n    command: [./api]\n    replicas: 2\n    ports: { http: auto }\n  web:\n"
            + "    command: [./web, \"${sidecars.api.ports.http}\"]\n    depends_on: [api]\n",
        after: "sidecars:\n  api:\n    command: [./api]\n    replicas: 2\n    ports: { http: auto }\n  web:\n"
            + "    command: [./web, \"${sidecars.api.addresses.http}\"]\n    depends_on: [api]\n"),
    RuleExplanation(
        .replicaOutOfRange, "Replicas are counted from 0.",
        before: "sidecars:\n  api:\n    command: [./api]\n    replicas: 2\n    ports: { http: auto }\n  web:\n"
            + "    command: [./web, \"${sidecars.api.2.ports.http}\"]\n    depends_on: [api]\n",
        after: "sidecars:\n  api:\n    command: [./api]\n    replicas: 2\n    ports: { http: auto }\n  web:\n"
            + "    command: [./web, \"${sidecars.api.1.ports.http}\"]\n    depends_on: [api]\n"),
]
