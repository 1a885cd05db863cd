/// Secrets, users and limits.
let secretExplanations: [RuleExplanation] = [
    RuleExplanation(
        .invalidSecretName, "A secret's name may become that of a file, so it is made of what every file name takes.",
        before: secret("pg/main: { generate: 32 }", use: "pg/main"),
        after: secret("pg-main: { generate: 32 }", use: "pg-main")),
    RuleExplanation(
        .secretSource, "A value has one source: with two, nobody could say which one is meant.",
        before: secret("pg: { env: PG, generate: 32 }", use: "pg"), after: secret("pg: { generate: 32 }", use: "pg")),
    RuleExplanation(
        .secretNotFound,
        "Without its value the sidecar can't be started as it is meant to. It is looked for on the machine and in the "
            + "environment of the command; --no-host leaves that out.",
        before: secret("pg: { file: no-such-file }", use: "pg"), after: secret("pg: { file: notes.txt }", use: "pg")),
    RuleExplanation(
        .unknownSecret, "A sidecar gets what the top level's `secrets` declares.",
        before: secret("pg: { generate: 32 }", use: "pq"), after: secret("pg: { generate: 32 }", use: "pg")),
    RuleExplanation(
        .unusedSecret, "Only sidecars that name a secret get it; this one is read for nobody.",
        before: "secrets: { pg: { generate: 32 } }\nsidecars:\n  db:\n    command: [server]\n",
        after: secret("pg: { generate: 32 }", use: "pg")),
    RuleExplanation(
        .secretVariableClash, "A variable holds one value; the other would silently be lost.",
        before: "secrets: { pg: { generate: 32 } }\nsidecars:\n  db:\n    command: [server]\n"
            + "    env: { PGPASSWORD: old }\n    secrets: { PGPASSWORD: pg }\n",
        after: secret("pg: { generate: 32 }", use: "pg")),
    RuleExplanation(
        .secretInterpolated,
        "What is interpolated becomes part of the manifest: everyone on the machine can read the arguments of a "
            + "process, and `env`, `plan` and diagnostics show the rest.",
        before: "secrets: { pg: { env: PG } }\nsidecars:\n  db:\n    command: [server, \"--password=${PG}\"]\n"
            + "    secrets: { PGPASSWORD: pg }\n",
        after: secret("pg: { env: PG }", use: "pg")),
]

/// Whom a sidecar runs as, and what it may take.
let privilegeExplanations: [RuleExplanation] = [
    RuleExplanation(
        .invalidAccount, "Users and groups are known by name or by number.",
        before: "sidecars:\n  web:\n    command: [server]\n    user: www data\n",
        after: "sidecars:\n  web:\n    command: [server]\n    user: www-data\n"),
    RuleExplanation(
        .accountNotFound, "The start fails where the user or group is not there when it comes to it.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    user: nosuch\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    user: web\n"),
    RuleExplanation(
        .invalidUmask,
        "A umask is octal, and YAML 1.2 reads a bare 0027 as twenty-seven. In quotes it is what it looks like.",
        before: "sidecars:\n  web:\n    command: [server]\n    umask: 0027\n",
        after: "sidecars:\n  web:\n    command: [server]\n    umask: \"0027\"\n"),
    RuleExplanation(
        .invalidLimit, "A limit is a number, or `unlimited`; the soft one is at most the hard one.",
        before: "sidecars:\n  web:\n    command: [server]\n    ulimits: { nofile: { soft: 4096, hard: 1024 } }\n",
        after: "sidecars:\n  web:\n    command: [server]\n    ulimits: { nofile: { soft: 1024, hard: 4096 } }\n"),
    RuleExplanation(
        .notPermitted,
        "Another user, a lower niceness, or a limit above its own hard one: the kernel grants it to root alone, so every "
            + "start would fail.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    nice: -5\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    nice: 5\n"),
    RuleExplanation(
        .resourcesNotEnforced,
        "Limits of a whole sidecar are kept by cgroups, version 2, in a part of the tree whose controllers this user "
            + "was given. Elsewhere the sidecar runs without them.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    resources: { memory: 512MiB }\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    ulimits: { data: 512MiB }\n"),
    RuleExplanation(
        .staleNotAbsolute, "A left-over is known by the very file it runs, not by a name that others may have too.",
        before: "sidecars:\n  web:\n    command: [server]\n    stale: { exe: server }\n",
        after: "sidecars:\n  web:\n    command: [server]\n    stale: { exe: /usr/bin/server }\n"),
]

private func secret(_ declaration: String, use: String) -> String {
    "secrets: { \(declaration) }\nsidecars:\n  db:\n    command: [/bin/server]\n    secrets: { PGPASSWORD: \(use) }\n"
}
