extension SidecarSpec {
    /// One for every key of the table whose value isn't the default, in the table's order. A key that is added to the
    /// table later therefore changes no fingerprint of a manifest that doesn't use it.
    /// - Parameter blank: that of the project.
    package func makeFingerprints(from blank: StableHasher) -> [KeyFingerprint] {
        var parts: [KeyFingerprint] = []
        parts.reserveCapacity(8)
        for row in fingerprintRows {
            var hasher = blank
            row.feed(self, &hasher)
            guard hasher.value != row.defaultValue else { continue }
            parts.append(KeyFingerprint(key: row.key, value: hasher.value, onChange: row.onChange))
        }
        return parts
    }
}

extension ProjectSpec {
    /// Knows what stays the same until the manifest is applied again. By its real path: a link that leads to the same
    /// directory is the same one, and a link that leads to another now is not.
    package var blankHasher: StableHasher {
        StableHasher(references: [.projectName: name, .projectDirectory: canonicalDirectory ?? directory])
    }
}

private struct FingerprintRow {
    var key: String
    var onChange: ChangeEffect
    var defaultValue: UInt64
    var feed: @Sendable (SidecarSpec, inout StableHasher) -> Void
}

private let fingerprintRows: [FingerprintRow] = {
    let plain = SidecarSpec(name: "")
    var rows: [FingerprintRow] = []
    for key in sidecarKeys.keys {
        var hasher = StableHasher()
        key.fingerprint(plain, &hasher)
        rows.append(
            FingerprintRow(key: key.name, onChange: key.onChange, defaultValue: hasher.value, feed: key.fingerprint))
    }
    return rows
}()

extension StableHasher {
    mutating func combine(_ template: Template) {
        combine(each: template.segments) { hasher, segment in
            switch segment {
            case .literal(let text):
                hasher.combine(1 as UInt64)
                hasher.combine(text)
            case .reference(let reference):
                hasher.combine(2 as UInt64)
                hasher.combine(reference.description)
                // Resolved: another one is another command. What is found when it starts is watched there.
                if let value = hasher.references[reference] { hasher.combine(value) }
            }
        }
    }

    mutating func combine(_ port: PortSpec) {
        combine(port.name)
        switch port.wanted {
        case .number(let number): combine(Int(number))
        case .range(let first, let last):
            combine(Int(first))
            combine(Int(last) << 16)
        case .automatic: combine(-1)
        }
        combine(port.bind)
        combine(port.environmentVariable) { $0.combine($1) }
        combine(port.strict)
        combine(port.transport.rawValue)
    }

    mutating func combine(_ dependency: DependencySpec) {
        combine(dependency.sidecar)
        combine(dependency.condition.rawValue)
        combine(dependency.required)
        combine(dependency.quorum) { $0.combine($1) }
    }

    mutating func combine(_ probe: Probe) {
        combine(probe.check)
        combine(probe.initialDelay)
        combine(probe.period)
        combine(probe.timeout)
        combine(probe.failureThreshold)
        combine(probe.successThreshold)
        combine(probe.owner.rawValue)
    }

    private mutating func combine(_ check: Probe.Check) {
        switch check {
        case .http(let http):
            combine("http")
            combine(http)
        case .tcp(let port, let host):
            combine("tcp")
            combine(port)
            combine(host) { $0.combine($1) }
        case .exec(let words):
            combine("exec")
            combine(each: words) { $0.combine($1) }
        case .unix(let path):
            combine("unix")
            combine(path)
        case .file(let path, let maxAge):
            combine("file")
            combine(path)
            combine(maxAge) { $0.combine($1) }
        case .log(let pattern, let stream):
            combine("log")
            combine(pattern)
            combine(stream.rawValue)
        case .notify: combine("notify")
        }
    }

    private mutating func combine(_ http: Probe.HTTP) {
        combine(http.path)
        combine(http.port)
        combine(http.host) { $0.combine($1) }
        combine(http.scheme.rawValue)
        combine(http.method)
        combine(each: http.headers) { hasher, header in
            hasher.combine(header.name)
            hasher.combine(header.value)
        }
        combine(http.status.lowerBound)
        combine(http.status.upperBound)
        combine(http.body) { $0.combine($1) }
    }

    private mutating func combine(_ port: Probe.PortChoice) {
        switch port {
        case .number(let number): combine(Int(number))
        case .named(let name): combine(name)
        }
    }

    mutating func combine(_ restart: RestartSpec) {
        combine(restart.policy.rawValue)
        combine(restart.delay)
        combine(restart.factor)
        combine(restart.maxDelay)
        combine(restart.jitter)
        combine(restart.resetAfter)
        combine(restart.maxAttempts)
        combine(restart.window) { $0.combine($1) }
        combine(each: restart.successCodes) { $0.combine(Int($1)) }
        combine(each: restart.noRestartCodes) { $0.combine(Int($1)) }
        combine(restart.retryFailedAfter)
    }

    mutating func combine(_ stop: StopSpec) {
        combine(Int(stop.signal.number))
        combine(stop.grace)
        combine(each: stop.steps) { hasher, step in
            hasher.combine(Int(step.signal.number))
            hasher.combine(step.wait)
        }
        combine(stop.target.rawValue)
    }

    mutating func combine(_ hook: HookSpec) {
        combine(hook.event.rawValue)
        switch hook.action {
        case .command(let words):
            combine("exec")
            combine(each: words) { $0.combine($1) }
        case .shell(let script):
            combine("shell")
            combine(script)
        case .webhook(let address):
            combine("webhook")
            combine(address)
        }
        combine(hook.timeout)
    }

    mutating func combine(_ logs: LogSpec) {
        combine(logs.directory) { $0.combine($1) }
        combine(Int(logs.maxSize.bytes))
        combine(logs.maxFiles)
        combine(logs.maxAge) { $0.combine($1) }
        combine(logs.compress)
        combine(logs.format.rawValue)
        combine(logs.timestamps)
        combine(logs.mergesStandardError)
        combine(logs.block)
    }
}
