/// What runs, and its environment.
let programExplanations: [RuleExplanation] = [
    RuleExplanation(
        .commandMissing, "There is nothing to start.",
        before: "sidecars:\n  web:\n    replicas: 2\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    replicas: 2\n"),
    RuleExplanation(
        .commandAndShell, "Only one of them can run.",
        before: "sidecars:\n  web:\n    command: [./web]\n    shell: ./web --debug\n",
        after: "sidecars:\n  web:\n    shell: ./web --debug\n"),
    RuleExplanation(
        .commandEmpty, "The first word is the program, and there is none.",
        before: "sidecars:\n  web:\n    command: []\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .unbalancedQuote,
        "A text is split into words as a shell does it, and a quote that stays open joins all the rest.",
        before: "sidecars:\n  web:\n    command: ./web --title \"My shop\n",
        after: "sidecars:\n  web:\n    command: ./web --title \"My shop\"\n"),
    RuleExplanation(
        .externalWithCommand, "An external sidecar runs elsewhere and is only probed.",
        before: "sidecars:\n  db:\n    kind: external\n    command: [postgres]\n    health: { tcp: { port: 5432 } }\n",
        after: "sidecars:\n  db:\n    kind: external\n    health: { tcp: { port: 5432 } }\n"),
    RuleExplanation(
        .shellOperatorInCommand, "`command` is not read by a shell: the program would get the operator as an argument.",
        before: "sidecars:\n  web:\n    kind: task\n    command: ./build && ./web\n",
        after: "sidecars:\n  web:\n    kind: task\n    shell: ./build && ./web\n"),
    RuleExplanation(
        .shellWithoutExec,
        "The signal that asks the service to end reaches the shell first, which passes nothing on. With "
            + "`exec` the service takes the shell's place.",
        before: "sidecars:\n  web:\n    shell: ./build && ./web\n",
        after: "sidecars:\n  web:\n    shell: ./build && exec ./web\n"),
    RuleExplanation(
        .tildeNotExpanded, "`~` is replaced by shells, and here is none.",
        before: "sidecars:\n  web:\n    command: [./web]\n    cwd: ~/shop\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    cwd: ${HOME:-/root}/shop\n"),
    RuleExplanation(
        .commandNotFound,
        "The start, the hook, the check or the reading of the secret will fail unless something puts the program there "
            + "first. `--no-host` skips this check.",
        before: "sidecars:\n  web:\n    command: [no-such-program]\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n"),
    RuleExplanation(
        .commandNotExecutable,
        "The system refuses to run it: this user, or the sidecar's `user`, may not; the interpreter of its #! line is not "
            + "there; it is neither a program nor a script with such a line; or an argument is longer than the system takes.",
        before: "sidecars:\n  web:\n    command: [./notes.txt]\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n"),
    RuleExplanation(
        .directoryNotFound,
        "The start will fail unless something makes the directory first, or lets the sidecar's user in.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    cwd: missing\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    cwd: .\n"),
    RuleExplanation(
        .ignoredForExternal, "Nothing is started for an external sidecar, so there is nothing the key could change.",
        before: "sidecars:\n  db:\n    kind: external\n    health: { tcp: { port: 5432 } }\n    replicas: 2\n",
        after: "sidecars:\n  db:\n    kind: external\n    health: { tcp: { port: 5432 } }\n"),
    RuleExplanation(
        .primaryExternal, "The end of a primary ends the project, and the end of something external is not seen.",
        before: "sidecars:\n  db:\n    kind: external\n    primary: true\n    health: { tcp: { port: 5432 } }\n",
        after: "sidecars:\n  db:\n    kind: external\n    health: { tcp: { port: 5432 } }\n"),
    RuleExplanation(
        .invalidVariableName, "Shells and many libraries can't read variables of other names.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: { LOG-LEVEL: info }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { LOG_LEVEL: info }\n"),
    RuleExplanation(
        .environmentFileNotFound, "What the sidecar is told would be missing.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    env_file: missing.env\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    env_file: { path: missing.env, required: false }\n"),
    RuleExplanation(
        .environmentFileSyntax, "A line that can't be read is a variable that is missing.",
        before: "sidecars:\n  web:\n    command: [/bin/server]\n    env_file: broken.env\n",
        after: "sidecars:\n  web:\n    command: [/bin/server]\n    env_file: good.env\n"),
    RuleExplanation(
        .dotEnvironmentSyntax,
        "A variable may be meant there that is empty, or another, for `${VAR}` and for secrets. As an `env_file` it is an "
            + "error."),
    RuleExplanation(
        .secretInPlainText, "Manifests are committed, copied and shown. The value is in every copy for good.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: { DB_PASSWORD: hunter22 }\n",
        after: "secrets: { db: { env: DB_PASSWORD } }\nsidecars:\n  web:\n    command: [./web]\n"
            + "    secrets: { DB_PASSWORD: db }\n"),
    RuleExplanation(
        .portVariableOverridden, "The variable carries the port that was really given, which may be another one.",
        before: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 8080 }\n    env: { PORT: \"9090\" }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    ports: { http: 9090 }\n"),
]
