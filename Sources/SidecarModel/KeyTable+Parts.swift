/// A port in its long form.
package let portKeys = KeyGroup<PortSpec>([
    ManifestKey(
        "port", .form(.portRange), default: "required", onChange: .restart, "A number, a range `8080-8200`, or `auto`.",
        example: "8080-8200"),
    ManifestKey(
        "bind", .form(.bindAddress), default: "127.0.0.1", onChange: .restart,
        "The address the sidecar listens on, as a number.", example: "0.0.0.0"),
    ManifestKey(
        "env", .optionalText(\.environmentVariable), onChange: .restart, "A further variable that carries it.",
        example: "LISTEN_PORT"),
    ManifestKey(
        "strict", .flag(\.strict), default: "true for a number, else false", onChange: .restart,
        "Fail rather than move from the number it has when another process holds that.", example: "false"),
    ManifestKey("protocol", .choice(\.transport), onChange: .restart, "`tcp` or `udp`.", example: "udp"),
])

/// A dependency in its long form.
package let dependencyKeys = KeyGroup<DependencySpec>([
    ManifestKey(
        "condition", .form(.condition),
        default: "`succeeded` for a task, `healthy` where the target has readiness, else `started`",
        "What must hold: `started`, `healthy`, `succeeded` (exit 0) or `completed` (any exit).", example: "healthy"),
    ManifestKey(
        "required", .flag(\.required), "false: order only. Its failure or absence doesn't hold this one back.",
        example: "false"),
    ManifestKey(
        "quorum", .optionalInteger(1...1000, \.quorum), default: "all",
        "How many instances of it must hold the condition.", example: "1"),
])

/// A probe: one check, and when it counts.
package let probeKeys = KeyGroup<Probe>([
    ManifestKey(
        "http", .form(.http), default: "one check is required",
        "An HTTP request; short form: the path.", example: "/health"),
    ManifestKey("tcp", .form(.tcp), "A TCP connection; short form: the port.", example: "sql"),
    ManifestKey(
        "exec", .form(.exec), "A command, in the sidecar's environment and directory; exit 0 is good.",
        example: "[pg_isready, -p, \"${ports.sql}\"]"),
    ManifestKey("unix", .form(.unix), "A connection to a Unix socket.", example: "run/api.sock"),
    ManifestKey(
        "file", .form(.file), "A file that is there and newer than this start; short form: the path.",
        example: "{ path: run/ready, max_age: 30s }"),
    ManifestKey(
        "log", .form(.log), "A line of output that matches an extended regular expression; short form: the pattern.",
        example: "ready to accept connections"),
    ManifestKey("notify", .form(.notify), "sd_notify: the sidecar says READY=1 itself.", example: "true"),
    ManifestKey(
        "initial_delay", .duration(.any, \.initialDelay), "Wait after the start before the first check.", example: "2s"),
    ManifestKey(
        "period", .duration(.atLeast(.milliseconds(10)), \.period),
        "Time from one check to the next, 10ms or more.", example: "5s"),
    ManifestKey("timeout", .duration(.positive, \.timeout), "A check that takes longer has failed.", example: "1s"),
    ManifestKey(
        "failure_threshold", .integer(1...1000, \.failureThreshold), "Failures in a row that count.", example: "5"),
    ManifestKey(
        "success_threshold", .integer(1...1000, \.successThreshold), "Successes in a row that count.", example: "2"),
    ManifestKey(
        "owner", .choice(\.owner),
        "`self`: an answer counts only when the listening socket belongs to this sidecar; `any`: whoever answers.",
        example: "any"),
])

package let httpKeys = KeyGroup<Probe.HTTP>([
    ManifestKey("path", .form(.path), default: "/", "The path, with a query if needed.", example: "/health?full=1"),
    ManifestKey(
        "port", .form(.portChoice), default: "the only port", "A port of this sidecar by name, or a number.",
        example: "http"),
    ManifestKey(
        "host", .form(.host), default: "the port's bind address", "Where to connect to.",
        example: "localhost"),
    ManifestKey("scheme", .form(.scheme), default: "http", "`http`.", example: "http"),
    ManifestKey("method", .form(.method), default: "GET", "The request's method.", example: "HEAD"),
    ManifestKey("headers", .form(.headers), "Headers by name.", example: "{ Authorization: Bearer x }"),
    ManifestKey(
        "status", .form(.statusRange), default: "200-399", "The status or range that is good.", example: "200-299"),
    ManifestKey(
        "body", .form(.pattern), "An extended regular expression the body must match somewhere.", example: "\"ok\""),
])

/// The long form of a `tcp` check.
package struct TCPCheck: Hashable, Sendable {
    package var port: Probe.PortChoice?
    package var host: Template?

    package init() {}
}

package let tcpKeys = KeyGroup<TCPCheck>([
    ManifestKey(
        "port", .form(.portChoice), default: "the only port", "A port of this sidecar by name, or a number.",
        example: "sql"),
    ManifestKey(
        "host", .form(.host), default: "the port's bind address", "Where to connect to.",
        example: "localhost"),
])

/// The long form of a `file` check.
package struct FileCheck: Hashable, Sendable {
    package var path: Template?
    package var maxAge: Duration?

    package init() {}
}

package let fileKeys = KeyGroup<FileCheck>([
    ManifestKey("path", .form(.path), default: "required", "The file.", example: "run/ready"),
    ManifestKey(
        "max_age", .optionalDuration(.positive, \.maxAge), default: "none", "It must have changed within that.",
        example: "30s"),
])

/// The long form of a `log` check.
package struct LogCheck: Hashable, Sendable {
    package var pattern: String?
    package var stream: Probe.LogStream = .any

    package init() {}
}

package let logCheckKeys = KeyGroup<LogCheck>([
    ManifestKey(
        "pattern", .form(.pattern), default: "required", "An extended regular expression.", example: "listening on"),
    ManifestKey("stream", .choice(\.stream), "The output it is looked for in.", example: "stderr"),
])

/// A hook while it is read.
package struct HookForm: Hashable, Sendable {
    package var action: HookSpec.Action?
    package var timeout: Duration = .seconds(30)

    package init() {}
}

package let hookKeys = KeyGroup<HookForm>([
    ManifestKey(
        "exec", .form(.command), "A command, in the sidecar's environment and directory.", example: "[./notify.sh]"),
    ManifestKey("shell", .form(.script), "A script for `/bin/sh -c`.", example: "echo down >> events"),
    ManifestKey(
        "webhook", .form(.path), "An `http://` address that gets the facts as a JSON POST.",
        example: "\"http://127.0.0.1:9000/alert\""),
    ManifestKey("timeout", .duration(.positive, \.timeout), "The longest run.", example: "5s"),
])

/// A step of `stop.steps` while it is read.
package struct StepForm: Hashable, Sendable {
    package var signal: Signal = .terminate
    package var wait: Duration = .seconds(10)

    package init() {}
}

package let stepKeys = KeyGroup<StepForm>([
    ManifestKey("signal", .signal(\.signal), "The signal.", example: "SIGINT"),
    ManifestKey("wait", .duration(.any, \.wait), "How long to wait for the end after it.", example: "5s"),
])

/// An entry of `env_file` while it is read.
package struct EnvironmentFileForm: Hashable, Sendable {
    package var path: Template?
    package var required: Bool = true

    package init() {}
}

package let environmentFileKeys = KeyGroup<EnvironmentFileForm>([
    ManifestKey("path", .form(.path), default: "required", onChange: .restart, "The file.", example: ".env.local"),
    ManifestKey("required", .flag(\.required), onChange: .restart, "false: it may be missing.", example: "false"),
])
