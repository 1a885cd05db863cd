import SidecarModel
import YAMLReading

extension ManifestDecoder {
    /// A key no row is for: allowed as `x-`, promised for later, known from elsewhere, misspelt, or just wrong.
    func reportUnknown<Owner>(_ key: NodeID, _ value: NodeID, in group: KeyGroup<Owner>, named mapping: String) {
        // A key that is no text was reported by the reader.
        guard document.kind(key) == .scalar else { return }
        let name = document.string(key)
        if isExtension(name, of: group) { return }
        let known = group.keys.map(\.name)
        if let probe = unsupportedChecks[name], known.contains("http") || known.contains("scheme") {
            report(.unsupportedProbe, at: key, "'\(name)' is not supported in this version", help: probe)
            return
        }
        if laterKeys.contains(name),
            Owner.self == SidecarSpec.self || Owner.self == ProjectSpec.self || Owner.self == PortSpec.self
                || Owner.self == DependencySpec.self
        {
            report(
                .unsupportedKey, at: key, "'\(name)' is not supported in this version",
                help: "remove it; nothing is done for it yet")
            return
        }
        if Owner.self == ProjectSpec.self, sidecarKeys.keys.contains(where: { $0.name == name }) {
            report(
                .unknownKey, at: key, "'\(name)' is a sidecar's key, and this is the top level",
                help: "move it into a sidecar, or into 'defaults:' for all of them")
            return
        }
        if let remark = foreignRemarks[name], name != "args" || known.contains("command") {
            report(.unknownKey, at: key, "there is no key '\(name)' in \(mapping)", help: remark)
            return
        }
        // The same slip is often made in every sidecar.
        let place = "\(mapping)\n\(name)"
        let help = keyHelp[place] ?? help(for: name, among: known)
        keyHelp[place] = help
        report(.unknownKey, at: key, "there is no key '\(name)' in \(mapping)", help: help)
    }

    private func help(for name: String, among known: [String]) -> String {
        suggestion(for: name, among: known).map { "did you mean '\($0)'?" }
            ?? "the keys here are \(known.joined(separator: ", "))"
    }

    private func suggestion(for name: String, among known: [String]) -> String? {
        let candidates = [
            foreignKeys[name], closest(to: name, among: known),
            closest(to: name, among: foreignNames).flatMap { foreignKeys[$0] },
        ]
        return candidates.compactMap(\.self).first { known.contains(prefix(of: $0)) }
    }

    /// Whether the mapping has none of these keys, and none, reported as unknown, that was most likely to be one of them.
    /// One without a value was reported as that.
    ///
    /// - Parameter orAnything: one that nothing is known of may be it, too. In a small mapping it mostly is.
    func lacks<Owner>(
        _ names: [String], of group: KeyGroup<Owner>, in mapping: NodeID, orAnything: Bool = true
    ) -> Bool {
        document.kind(mapping) == .mapping && names.allSatisfy { document.entry($0, in: mapping) == nil }
            && !hasSlip(for: names, of: group, in: mapping, orAnything: orAnything)
    }

    /// The same of the keys that take such a form.
    func lacksForm<Owner>(
        of group: KeyGroup<Owner>, in mapping: NodeID, orAnything: Bool = true,
        where isMeant: (Form) -> Bool = { _ in true }
    ) -> Bool {
        let keys = group.keys.filter { if case .form(let form) = $0.codec { isMeant(form) } else { false } }
        return lacks(keys.map(\.name), of: group, in: mapping, orAnything: orAnything)
    }

    private func hasSlip<Owner>(
        for names: [String], of group: KeyGroup<Owner>, in mapping: NodeID, orAnything: Bool
    ) -> Bool {
        let known = group.keys.map(\.name)
        return document.pairs(mapping).contains { key, _ in
            guard document.kind(key) == .scalar else { return false }
            let name = document.string(key)
            guard !known.contains(name), !isExtension(name, of: group) else { return false }
            return suggestion(for: name, among: known).map(names.contains) ?? orAnything
        }
    }

    private func isExtension<Owner>(_ name: String, of group: KeyGroup<Owner>) -> Bool {
        group.allowsExtensions && name.hasPrefix("x-")
    }

    private func prefix(of path: String) -> String { String(path.prefix { $0 != "." }) }
}

/// Keys of the language that this version does not know yet. README.md lists them.
package let laterKeys: Set<String> = [
    "include", "profiles", "labels", "rolling", "reload", "schedule", "inputs", "creates", "watch", "was",
    "budget", "metrics", "control", "listen", "on_restart", "on_failure",
]

private let unsupportedChecks: [String: String] = [
    "grpc": "check with exec and grpc_health_probe, or with tcp",
    "tls": "check with exec and curl, or with tcp",
]

/// What others call it, and what it is called here.
private let foreignKeys: [String: String] = [
    // Compose
    "environment": "env", "healthcheck": "health", "working_dir": "cwd", "entrypoint": "command",
    "services": "sidecars",
    "stop_signal": "stop.signal", "stop_grace_period": "stop.grace", "interval": "period",
    "retries": "failure_threshold",
    "stdin_open": "stdio", "start_period": "initial_delay", "test": "exec", "scale": "replicas", "logging": "logs",
    "deploy": "replicas",
    "expose": "ports", "publish": "ports",
    // Kubernetes
    "livenessProbe": "health.liveness", "readinessProbe": "health.readiness", "startupProbe": "health.startup",
    "workingDir": "cwd", "envFrom": "env_file", "args": "command", "restartPolicy": "restart", "httpGet": "http",
    "tcpSocket": "tcp", "initialDelaySeconds": "initial_delay", "periodSeconds": "period", "timeoutSeconds": "timeout",
    "failureThreshold": "failure_threshold", "successThreshold": "success_threshold", "httpHeaders": "headers",
    "terminationGracePeriodSeconds": "stop.grace", "lifecycle": "hooks", "preStop": "pre_stop",
    "postStart": "post_start",
    "containers": "sidecars",
    // process-compose
    "processes": "sidecars", "readiness_probe": "health.readiness", "liveness_probe": "health.liveness",
    "availability": "restart", "max_restarts": "max_attempts", "backoff_seconds": "delay", "shutdown": "stop",
    "log_location": "logs.dir", "is_elevated": "command", "http_get": "http", "initial_delay_seconds": "initial_delay",
    "period_seconds": "period", "timeout_seconds": "timeout", "env_files": "env_file", "exit_on_end": "primary",
    // systemd and others
    "ExecStart": "command", "WorkingDirectory": "cwd", "Environment": "env", "EnvironmentFile": "env_file",
    "Restart": "restart", "RestartSec": "restart.delay", "KillSignal": "stop.signal", "TimeoutStopSec": "stop.grace",
    "cmd": "command", "exec": "command", "script": "shell", "dir": "cwd", "directory": "cwd", "depends": "depends_on",
    "dependsOn": "depends_on", "after": "depends_on", "requires": "depends_on", "port": "ports",
    "instances": "replicas",
    "numprocs": "replicas", "type": "kind", "probe": "health", "ready": "health", "readiness": "health.readiness",
    "liveness": "health.liveness", "startup": "health.startup",
    // Users, limits and secrets
    "mem_limit": "resources.memory", "cpus": "resources.cpu", "pids_limit": "resources.pids",
    "security_opt": "no_new_privileges", "securityContext": "user", "runAsUser": "user", "runAsGroup": "group",
    "allowPrivilegeEscalation": "no_new_privileges", "limits": "resources", "User": "user", "Group": "group",
    "UMask": "umask", "Nice": "nice", "priority": "nice", "NoNewPrivileges": "no_new_privileges",
    "LimitNOFILE": "ulimits.nofile", "LimitCORE": "ulimits.core", "rlimits": "ulimits", "rlimit": "ulimits",
    "MemoryMax": "resources.memory", "CPUQuota": "resources.cpu", "TasksMax": "resources.pids",
    "LoadCredential": "secrets", "credentials": "secrets", "secret": "secrets", "uid": "user", "gid": "group",
    "from_file": "file", "random": "generate", "secretName": "from", "source": "from",
    "executable": "exe",
    // Ports and hooks
    "target": "port", "published": "port", "containerPort": "port", "url": "webhook",
]

private let foreignNames = foreignKeys.keys.sorted()

private let foreignRemarks: [String: String] = [
    "image": "nothing runs in containers here: say in 'command' what to run",
    "build": "nothing runs in containers here: say in 'command' what to run",
    "args": "they stand behind the program: command: [program, argument]",
    "container_name": "a sidecar is called by its key",
    "networks": "sidecars share the network of this machine",
    "network_mode": "sidecars share the network of this machine",
    "volumes": "sidecars share the files of this machine",
]

/// Values others use, and ours.
let foreignValues: [String: String] = [
    "unless-stopped": "always", "on_failure": "on-failure", "OnFailure": "on-failure", "Always": "always",
    "Never": "never", "no": "never", "exit_on_failure": "on-failure", "service_healthy": "healthy",
    "service_started": "started", "service_completed_successfully": "succeeded", "process_healthy": "healthy",
    "process_started": "started", "process_completed": "completed", "process_completed_successfully": "succeeded",
    "process_log_ready": "healthy", "oneshot": "task", "job": "task", "daemon": "service", "simple": "service",
    "ready": "healthy", "running": "started", "exited": "completed",
]

/// The nearest of the words, if it is near enough to be a slip.
func closest(to text: String, among words: [String]) -> String? {
    let wanted = Array(text.utf8)
    guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
    let limit = max(1, min(3, wanted.count / 3))
    var best: (word: String, distance: Int)?
    for word in words where abs(word.utf8.count - wanted.count) <= limit {
        let distance = editDistance(wanted, Array(word.utf8))
        if distance <= limit, distance < best?.distance ?? .max { best = (word, distance) }
    }
    return best?.word
}

/// Insertions, deletions, replacements and swaps of neighbours.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 1...left.count {
        var current = [row] + [Int](repeating: 0, count: right.count)
        for column in 1...right.count {
            let isSame = left[row - 1] | 0x20 == right[column - 1] | 0x20
            current[column] = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (isSame ? 0 : 1))
            if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                current[column] = min(current[column], beforeLast[column - 2] + 1)
            }
        }
        beforeLast = last
        last = current
    }
    return last[right.count]
}
