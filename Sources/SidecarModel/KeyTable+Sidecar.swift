/// What can be said of a sidecar, in the order of the reference and of the fingerprints.
package let sidecarKeys = KeyGroup<SidecarSpec>(
    allowsExtensions: true,
    [
        ManifestKey(
            "command", .form(.command), default: "one of `command` and `shell` is required", onChange: .restart,
            "What runs: a list of arguments, or one text split by the rules of shell words. No shell is involved.",
            example: "[postgres, -D, data, -p, \"${ports.sql}\"]",
            fingerprint: { spec, hasher in
                guard case .command(let words) = spec.program else { return }
                hasher.combine(each: words) { $0.combine($1) }
            }),
        ManifestKey(
            "shell", .form(.script), onChange: .restart,
            "A script for `/bin/sh -c`, instead of `command`. `${VAR}` in it is the shell's; only references with a dot "
                + "are replaced.", example: "./migrate.sh && ./seed.sh",
            fingerprint: { spec, hasher in
                guard case .shell(let script) = spec.program else { return }
                hasher.combine(script)
            }),
        ManifestKey(
            "kind", .choice(\.kind), onChange: .restart,
            "`service` runs until it is stopped; `task` is done when it exits; `external` is not started, only probed.",
            example: "task", fingerprint: { $1.combine($0.kind.rawValue) }),
        ManifestKey(
            "description", .optionalText(\.description), onChange: .ignore, "For people.",
            example: "Keeps the orders.", fingerprint: { $1.combine($0.description) { $0.combine($1) } }),
        ManifestKey(
            "cwd", .form(.directory), default: "the directory of the manifest", onChange: .restart,
            "Working directory. A relative path starts at the manifest's directory.", example: "services/api",
            fingerprint: { spec, hasher in
                if let directory = spec.canonicalDirectory {
                    hasher.combine(Template(directory))
                } else {
                    hasher.combine(spec.workingDirectory)
                }
            }),
        ManifestKey(
            "env", .form(.environment), onChange: .restart,
            "Environment variables, over the top level's and those of `env_file`. The values are the text as written; "
                + "`null` removes an inherited variable.", example: "{ PGDATA: data, DEBUG: null }",
            fingerprint: { spec, hasher in
                hasher.combine(each: spec.environment.sorted { $0.name < $1.name }) { hasher, entry in
                    hasher.combine(entry.name)
                    hasher.combine(entry.value) { $0.combine($1) }
                }
            }),
        ManifestKey(
            "env_file", .form(.environmentFiles), onChange: .restart,
            "Files of `NAME=value` lines, read in order, beneath `env`. A change of what they say counts as a change of "
                + "`env`.", example: "[.env, { path: .env.local, required: false }]"),
        ManifestKey(
            "clear_env", .flag(\.clearsEnvironment), onChange: .restart,
            "Start from PATH, HOME, USER, LANG and TZ alone instead of the whole inherited environment.",
            example: "true", fingerprint: { $1.combine($0.clearsEnvironment) }),
        ManifestKey(
            "secrets", .form(.secretUses), onChange: .restart,
            "Variables that hand over a secret: the secret's name, or `{ from, as }`. Never shown, and never part of an "
                + "argument.", example: "{ PGPASSWORD: pg, TLS_KEY: { from: key, as: file } }",
            fingerprint: { spec, hasher in
                hasher.combine(each: spec.secrets.sorted { $0.variable < $1.variable }) { $0.combine($1) }
            }),
        ManifestKey(
            "user", .optionalText(\.privileges.user), default: "the supervisor's", onChange: .restart,
            "Whom it runs as, by name or number, with that user's groups, HOME, USER, LOGNAME and SHELL. Its hooks and "
                + "exec probes too.", example: "postgres",
            fingerprint: { $1.combine($0.privileges.user) { $0.combine($1) } }),
        ManifestKey(
            "group", .optionalText(\.privileges.group), default: "the user's", onChange: .restart,
            "Its group, by name or number.", example: "www-data",
            fingerprint: { $1.combine($0.privileges.group) { $0.combine($1) } }),
        ManifestKey(
            "umask", .form(.umask), default: "that of the `up` that started the project", onChange: .restart,
            "Permissions that files it makes do not get: octal, in quotes.", example: "\"0027\"",
            fingerprint: { $1.combine($0.privileges.umask) { $0.combine(UInt64($1)) } }),
        ManifestKey(
            "nice", .optionalInteger(-20...19, \.privileges.nice), default: "the supervisor's", onChange: .restart,
            "Its niceness: 19 is the most yielding.", example: "10",
            fingerprint: { $1.combine($0.privileges.nice) { $0.combine($1) } }),
        ManifestKey(
            "no_new_privileges", .flag(\.privileges.gainsNoPrivileges), onChange: .restart,
            "Nothing it executes can gain privileges: setuid programs run as itself.", example: "true",
            fingerprint: { $1.combine($0.privileges.gainsNoPrivileges) }),
        ManifestKey(
            "ulimits", .form(.limits), default: "the supervisor's", onChange: .restart,
            "Limits of each process by name: a number, `unlimited`, or `{ soft, hard }`; where bytes are counted, also a "
                + "size.", example: "{ nofile: 65536, core: 0, memlock: { soft: 64MiB, hard: unlimited } }",
            fingerprint: { spec, hasher in
                hasher.combine(each: spec.privileges.limits.sorted { $0.name.rawValue < $1.name.rawValue }) {
                    $0.combine($1)
                }
            }),
        ManifestKey(
            "resources", .group(resourceKeys, short: nil), default: "no limit",
            "What all its processes may take together. Enforced by cgroups, version 2, where this project's are given "
                + "the controllers; a warning says where they are not.",
            example: "{ memory: 512MiB, cpu: 1.5, pids: 200 }",
            fingerprint: { $1.combine($0.privileges.resources) }),
        ManifestKey(
            "stale", .group(staleKeys, short: nil), default: "none",
            "What an earlier life of the project may have left running, to be ended before the first start. "
                + "`up --dry-run` lists it.", example: "{ exe: /usr/bin/redis-server }",
            fingerprint: { $1.combine($0.privileges.staleExecutable) { $0.combine($1) } }),
        ManifestKey(
            "ports", .form(.ports), onChange: .restart,
            "Ports by name: a number, a range, or `auto`. Each is in the environment as `NAME_PORT`, the only one also "
                + "as `PORT`. A number is `strict`; ranges and `auto` move when a port is taken.",
            example: "{ http: 8080-8200, admin: auto }",
            fingerprint: { spec, hasher in
                hasher.combine(each: spec.ports.sorted { $0.name < $1.name }) { $0.combine($1) }
            }),
        ManifestKey(
            "depends_on", .form(.dependencies),
            "What must hold before this starts: a list of names, or a mapping of names to a condition. In a list the "
                + "condition is `succeeded` for a task, `healthy` where the target has readiness, else `started`.",
            example: "{ migrate: succeeded, db: { condition: healthy } }",
            fingerprint: { spec, hasher in
                hasher.combine(each: spec.dependencies.sorted { $0.sidecar < $1.sidecar }) { $0.combine($1) }
            }),
        ManifestKey(
            "health", .form(.health), "Probes by role; a probe without a role is the readiness probe.",
            example: "{ readiness: { http: /health }, liveness: { tcp: http, period: 30s } }",
            fingerprint: { spec, hasher in
                for role in ProbeRole.allCases { hasher.combine(spec.health[role]) { $0.combine($1) } }
            }),
        ManifestKey(
            "start", .group(startKeys, short: nil), "When a start counts as good or as failed.",
            example: "{ timeout: 30s }",
            fingerprint: {
                $1.combine($0.start.timeout)
                $1.combine($0.start.settle)
            }),
        ManifestKey(
            "restart", .group(restartKeys, short: .restartPolicy), "What happens when the process ends.",
            example: "{ policy: on-failure, delay: 1s }", fingerprint: { $1.combine($0.restart) }),
        ManifestKey(
            "stop", .group(stopKeys, short: nil), "How it is ended. SIGKILL always follows.",
            example: "{ signal: SIGINT, grace: 30s }", fingerprint: { $1.combine($0.stop) }),
        ManifestKey(
            "timeout", .optionalDuration(.positive, \.timeout), default: "none",
            "Tasks only: the longest run. What is still running then is stopped, and has failed.", example: "10m",
            fingerprint: { $1.combine($0.timeout) { $0.combine($1) } }),
        ManifestKey(
            "hooks", .form(.hooks),
            "What to run or tell at a moment of its life: `exec`, `shell` or `webhook`, with a `timeout`. The facts "
                + "arrive in the environment and as JSON on standard input.",
            example: "{ on_crash: { exec: [./notify.sh] } }",
            fingerprint: { spec, hasher in
                hasher.combine(each: spec.hooks.sorted { $0.event.rawValue < $1.event.rawValue }) { $0.combine($1) }
            }),
        ManifestKey(
            "logs", .group(logKeys, short: nil), "Where its output goes and how much of it is kept.",
            example: "{ max_size: 50MiB, max_files: 3 }", fingerprint: { $1.combine($0.logs) }),
        ManifestKey(
            "stdio", .choice(\.stdio), onChange: .restart,
            "What its standard input and output are. `none`: no input, and the output is logged. `socket`: one client at a "
                + "time has both by `orchestrate attach`; while there is none, the output is logged. `per_client`: each "
                + "client gets a process of its own, by `orchestrate attach` or by the Unix socket that `orchestrate port` "
                + "prints; it ends when the client leaves.", example: "socket",
            fingerprint: { $1.combine($0.stdio.rawValue) }),
        ManifestKey(
            "primary", .flag(\.primary), "Its final end brings the project down, with its exit code.",
            example: "true", fingerprint: { $1.combine($0.primary) }),
        ManifestKey(
            "replicas", .integer(0...1000, \.replicas),
            "How many instances run: `name/0`, `name/1` and so on. A change adds or removes the highest.",
            example: "2", fingerprint: { $1.combine($0.replicas) }),
    ])

private let startKeys = KeyGroup<SidecarSpec>([
    ManifestKey(
        "timeout", .duration(.any, \.start.timeout),
        "Not healthy by then is a failed start. `0`: no limit.", example: "2m"),
    ManifestKey(
        "settle", .duration(.any, \.start.settle),
        "Without a readiness or startup probe: healthy means alive for that long.", example: "3s"),
])

private let restartKeys = KeyGroup<SidecarSpec>([
    ManifestKey(
        "policy", .choice(\.restart.policy), default: "`always` for services, `never` for tasks",
        "When an ended process is started again.", example: "on-failure"),
    ManifestKey(
        "delay", .duration(.any, \.restart.delay), "Wait before the first restart.", example: "1s"),
    ManifestKey(
        "factor", .number(1...100, \.restart.factor), "Each further wait is longer by this.", example: "1.5"),
    ManifestKey(
        "max_delay", .duration(.any, \.restart.maxDelay), "The longest wait.", example: "1m"),
    ManifestKey(
        "jitter", .number(0...1, \.restart.jitter),
        "Share of the delay that is drawn at random, in both directions.", example: "0.2"),
    ManifestKey(
        "reset_after", .duration(.any, \.restart.resetAfter),
        "Healthy for that long, and the count of consecutive restarts begins again.", example: "5m"),
    ManifestKey(
        "max_attempts", .integer(0...1_000_000, \.restart.maxAttempts),
        "Consecutive restarts before it is given up as failed. `0`: for ever.", example: "5"),
    ManifestKey(
        "window", .optionalDuration(.positive, \.restart.window), default: "only consecutive restarts count",
        "With it, `max_attempts` restarts within the window are too many, whatever lies between.", example: "10m"),
    ManifestKey(
        "success_codes", .exitCodes(\.restart.successCodes), default: "[]",
        "Exit codes that are a success, besides 0.", example: "[3]"),
    ManifestKey(
        "no_restart_codes", .exitCodes(\.restart.noRestartCodes), default: "[]",
        "Exit codes after which a restart is pointless.", example: "[78]"),
    ManifestKey(
        "retry_failed_after", .duration(.any, \.restart.retryFailedAfter),
        default: "5m for services that restart, else 0",
        "A failed sidecar is tried again after that. `0`: never.", example: "15m"),
])

private let stopKeys = KeyGroup<SidecarSpec>([
    ManifestKey(
        "signal", .signal(\.stop.signal), "The signal that asks it to end.", example: "SIGINT"),
    ManifestKey(
        "grace", .duration(.any, \.stop.grace), "How long it has until SIGKILL.", example: "30s"),
    ManifestKey(
        "steps", .form(.steps), default: "[]",
        "Several signals with a wait after each, instead of `signal` and `grace`.",
        example: "[{ signal: SIGINT, wait: 5s }, { signal: SIGTERM, wait: 5s }]"),
    ManifestKey(
        "target", .choice(\.stop.target),
        "`mixed`: the leader first, then whatever is left as a group; `group`: the whole group at once; `leader`: only "
            + "the leader. What remains in the end is killed in any case.", example: "group"),
])

private let logKeys = KeyGroup<SidecarSpec>([
    ManifestKey(
        "dir", .form(.logDirectory), default: "`logs` in the project's state directory",
        "Directory for the log files. After a change lines go on in the new one, and the old files stay.",
        example: "logs"),
    ManifestKey(
        "max_size", .size(\.logs.maxSize), "Size at which a file is rotated, 4KiB or more.", example: "50MiB"),
    ManifestKey(
        "max_files", .integer(1...1000, \.logs.maxFiles), "Files that are kept, the current one too.", example: "3"),
    ManifestKey(
        "max_age", .optionalDuration(.positive, \.logs.maxAge), default: "none", "Older files are removed.",
        example: "7d"),
    ManifestKey(
        "compress", .flag(\.logs.compress), "Rotated files are gzipped. `orchestrate logs` reads them all the same.",
        example: "true"),
    ManifestKey(
        "format", .choice(\.logs.format), "Lines as `text`, or one `json` object each.", example: "json"),
    ManifestKey(
        "timestamps", .flag(\.logs.timestamps), "Put the time before each line.", example: "false"),
    ManifestKey(
        "merge_stderr", .flag(\.logs.mergesStandardError),
        "Both outputs through one pipe: exact order, one stream name. Changed while it runs: one name at once, and the pipe "
            + "with the next start; set back to `false` it takes effect with the next start.", example: "true"),
    ManifestKey(
        "block", .duration(.any, \.logs.block),
        "How long the sidecar waits on a full disk before whole lines are dropped.", example: "30s"),
])
