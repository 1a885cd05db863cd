import SidecarModel
import YAMLReading

/// What the layers of a sidecar (defaults, then its own keys) say beside its spec.
struct SidecarLayers {
    var fileEnvironment: [EnvironmentEntry] = []
    var environment: [EnvironmentEntry] = []
    /// Read last: probes name ports, and both layers may say something of the same probe.
    var health: [NodeID] = []
    var unreadPorts = UnreadPorts()
    var commandKey: NodeID?
    var setsPolicy = false
    var setsRetryFailedAfter = false
    var setsDirectory = false
}

/// The defaults, read once.
struct SidecarDefaults {
    var spec = SidecarSpec(name: "")
    var layers = SidecarLayers()
}

extension ManifestDecoder {
    func decodeDefaults(_ node: NodeID) -> SidecarDefaults? {
        guard expect(.mapping, node, named: "defaults") else { return nil }
        for (key, _) in document.pairs(node) {
            for name in ["command", "shell", "depends_on"] where document.text(of: key, equals: name) {
                report(
                    .keyNotInDefaults, at: key, "'\(name)' belongs to one sidecar and can't be a default",
                    help: "say it in the sidecars it is for")
            }
        }
        var defaults = SidecarDefaults()
        decodeLayer(node, into: &defaults.spec, &defaults.layers)
        defaults.spec.dependencies = []
        // Who has none of its own is to hear that, too.
        defaults.spec.program = nil
        defaults.layers.commandKey = nil
        return defaults
    }

    func decodeSidecar(named name: String, _ node: NodeID, key: NodeID, defaults: SidecarDefaults?) -> SidecarSpec {
        var spec = defaults?.spec ?? SidecarSpec(name: name)
        var layers = defaults?.layers ?? SidecarLayers()
        spec.name = name
        if document.isNull(node) {
            report(.missingValue, at: key, "'\(name)' says nothing", help: "give it a 'command'")
        } else {
            decodeLayer(node, into: &spec, &layers)
        }
        checkProgram(of: spec, layers, node: node, key: key)
        if !layers.unreadPorts.isEmpty { unreadPorts[name] = layers.unreadPorts }
        if !layers.health.isEmpty {
            let scope = PortScope(sidecar: name, ports: spec.ports, unread: layers.unreadPorts)
            for health in layers.health { decodeHealth(health, into: &spec.health, scope) }
            if spec.kind == .external { acceptAnyOwner(of: &spec.health) }
        }
        if !layers.setsPolicy { spec.restart.policy = spec.kind == .task ? .never : .always }
        if !layers.setsRetryFailedAfter {
            spec.restart.retryFailedAfter = spec.kind == .task || spec.restart.policy == .never ? .zero : .seconds(300)
        }
        spec.environment = merged(topEnvironment, merged(layers.fileEnvironment, layers.environment))
        if layers.setsDirectory {
            spec.canonicalDirectory = spec.workingDirectory.literal.flatMap { files.canonicalPath($0) }
        } else {
            spec.workingDirectory = Template(directory)
            spec.canonicalDirectory = canonicalDirectory
        }
        return spec
    }

    /// There is no process of ours that the socket could belong to.
    private func acceptAnyOwner(of health: inout HealthSpec) {
        health.startup?.owner = .any
        health.readiness?.owner = .any
        health.liveness?.owner = .any
    }

    private func decodeLayer(_ node: NodeID, into spec: inout SidecarSpec, _ layers: inout SidecarLayers) {
        var ownProgram: Form?
        replaceStop(by: node, in: &spec.stop)
        decode(node, by: sidecarKeys, named: "a sidecar", into: &spec) { form, node, spec in
            switch form {
            case .command, .script:
                // One that is given twice was reported by the reader.
                if let ownProgram, ownProgram != form {
                    report(
                        .commandAndShell, at: node, "a sidecar has either 'command' or 'shell'", help: "remove one")
                }
                ownProgram = form
                layers.commandKey = node
                if form == .command {
                    spec.program = command(node, named: "command", of: sidecarKeys).map { .command($0) }
                } else {
                    spec.program = script(node).map { .shell($0) }
                }
            case .directory:
                layers.setsDirectory = true
                if let path = path(node, named: "cwd") { spec.workingDirectory = path }
            case .environment: layers.environment = merged(layers.environment, environment(node))
            case .environmentFiles: layers.fileEnvironment = environmentFiles(node)
            case .ports: decodePorts(node, into: &spec.ports, unread: &layers.unreadPorts)
            case .dependencies: decodeDependencies(node, into: &spec.dependencies)
            case .health: layers.health.append(node)
            case .restartPolicy:
                if let policy = choice(
                    node, among: RestartSpec.Policy.allCases.map(\.rawValue), named: "restart"
                ).flatMap(RestartSpec.Policy.init) {
                    spec.restart.policy = policy
                    layers.setsPolicy = true
                }
            case .steps: decodeSteps(node, into: &spec.stop.steps)
            case .hooks: decodeHooks(node, into: &spec.hooks)
            case .secretUses: decodeSecretUses(node, into: &spec.secrets)
            case .umask: spec.privileges.umask = umask(node) ?? spec.privileges.umask
            case .limits: decodeLimits(node, into: &spec.privileges.limits)
            case .executable:
                spec.privileges.staleExecutable = executablePath(node) ?? spec.privileges.staleExecutable
            case .logDirectory:
                guard let text = text(node, named: "dir") else { return }
                if text.isEmpty { report(.missingValue, at: node, "'dir' is empty") }
                spec.logs.directory = absolutePath(text, from: directory)
            default: break
            }
        }
        if let restart = document.value(of: "restart", in: node), document.kind(restart) == .mapping {
            if document.value(of: "policy", in: restart) != nil { layers.setsPolicy = true }
            if document.value(of: "retry_failed_after", in: restart) != nil { layers.setsRetryFailedAfter = true }
        }
    }

    /// The keys by which a layer says how to stop: steps stand in place of a signal and its grace.
    func stopKeys(in layer: NodeID) -> (steps: NodeID?, instead: [NodeID]) {
        guard let own = document.value(of: "stop", in: layer) else { return (nil, []) }
        func key(_ name: String) -> NodeID? { document.entry(name, in: own)?.key }
        return (key("steps"), ["signal", "grace"].compactMap(key))
    }

    /// Of the two, what a layer says replaces what the one below said.
    private func replaceStop(by layer: NodeID, in stop: inout StopSpec) {
        let own = stopKeys(in: layer)
        if own.steps != nil {
            (stop.signal, stop.grace) = (StopSpec().signal, StopSpec().grace)
        } else if !own.instead.isEmpty {
            stop.steps = []
        }
    }

    private func checkProgram(of spec: SidecarSpec, _ layers: SidecarLayers, node: NodeID, key: NodeID) {
        switch (spec.kind, spec.program) {
        case (.external, nil): break
        case (.external, .some):
            report(
                .externalWithCommand, at: layers.commandKey ?? key,
                "'\(spec.name)' is external, so nothing is started for it",
                help: "remove 'command', or make it a service")
        case (_, nil):
            if layers.commandKey == nil,
                lacksForm(
                    of: sidecarKeys, in: node, orAnything: false, where: { $0 == .command || $0 == .script })
            {
                report(
                    .commandMissing, at: key, "'\(spec.name)' has neither 'command' nor 'shell'",
                    help: "say what runs, or write 'kind: external' for what runs elsewhere")
            }
        case (_, .some): break
        }
    }

    // MARK: Commands and paths

    func command<Owner>(_ node: NodeID, named name: String, of group: KeyGroup<Owner>) -> [Template]? {
        switch document.kind(node) {
        case .scalar: return splitCommand(node, named: name, of: group)
        case .mapping:
            report(.wrongType, at: node, "'\(name)' takes a list of arguments or one text, and this is a mapping")
            return nil
        case .sequence:
            var words: [Template] = []
            var isUnresolved = false
            words.reserveCapacity(document.count(node))
            for position in 0..<document.count(node) {
                let item = document.item(node, at: position)
                guard !document.isNull(item) else {
                    report(
                        .missingValue, at: item, "this argument is nothing",
                        help: "quote it: \"\" for an empty one, \"~\" or \"null\" for the text")
                    return nil
                }
                // An alias that leads nowhere was reported by the reader.
                guard !document.isUnread(item), let word = interpolated(item, named: name) else { return nil }
                isUnresolved = isUnresolved || word.isUnresolved
                words.append(word.template)
            }
            if words.isEmpty || words[0].segments.isEmpty, !isUnresolved {
                return reportNoProgram(at: node, named: name)
            }
            return words
        }
    }

    func reportNoProgram(at node: NodeID, named name: String) -> [Template]? {
        report(.commandEmpty, at: node, "'\(name)' names no program")
        return nil
    }

    func script(_ node: NodeID) -> Template? {
        guard let script = template(node, named: "shell", mode: .shell) else { return nil }
        if script.literal?.utf8.allSatisfy({ $0 == 0x20 || $0 == 0x0A || $0 == 0x09 }) == true {
            report(.commandEmpty, at: node, "the script is empty")
            return nil
        }
        return script
    }

    /// Made absolute where it begins with text: from the manifest's directory.
    func path(_ node: NodeID, named name: String) -> Template? {
        guard let path = template(node, named: name) else { return nil }
        guard let first = path.segments.first else {
            report(.missingValue, at: node, "'\(name)' is empty")
            return nil
        }
        guard case .literal(let text) = first else { return path }
        if text.hasPrefix("~") {
            report(
                .tildeNotExpanded, at: node, "'~' is no home directory here, as no shell reads this",
                help: "write ${HOME}")
        }
        if path.segments.count == 1 { return Template(absolutePath(text, from: directory)) }
        guard !text.hasPrefix("/") else { return path }
        return Template(segments: [.literal(directory + "/" + text)] + path.segments.dropFirst())
    }
}
