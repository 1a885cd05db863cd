import SidecarModel
import YAMLReading

/// A sidecar while its layers (defaults, then its own keys) are read.
struct SidecarDraft {
    var spec: SidecarSpec
    var fileEnvironment: [EnvironmentEntry] = []
    var environment: [EnvironmentEntry] = []
    /// Read last: probes name ports, and both layers may say something of the same probe.
    var health: [NodeID] = []
    var commandKey: NodeID?
    var setsPolicy = false
    var setsRetryFailedAfter = false

    init(name: String) { spec = SidecarSpec(name: name) }
}

extension ManifestDecoder {
    func decodeDefaults(_ node: NodeID) -> SidecarDraft? {
        guard expect(.mapping, node, named: "defaults") else { return nil }
        for (key, _) in document.pairs(node) {
            for name in ["command", "shell", "depends_on"] where document.text(of: key, equals: name) {
                report(
                    .keyNotInDefaults, at: key, "'\(name)' belongs to one sidecar and can't be a default",
                    help: "say it in the sidecars it is for")
            }
        }
        var draft = SidecarDraft(name: "")
        decodeLayer(node, into: &draft)
        draft.spec.dependencies = []
        return draft
    }

    func decodeSidecar(named name: String, _ node: NodeID, key: NodeID, defaults: SidecarDraft?) -> SidecarSpec {
        var draft = defaults ?? SidecarDraft(name: name)
        draft.spec.name = name
        if document.isNull(node) {
            report(.missingValue, at: key, "'\(name)' says nothing", help: "give it a 'command'")
        } else {
            decodeLayer(node, into: &draft)
        }
        completeProgram(&draft, node: node, key: key)
        for health in draft.health { decodeHealth(health, into: &draft.spec) }
        if draft.spec.kind == .external { acceptAnyOwner(of: &draft.spec.health) }
        if !draft.setsPolicy { draft.spec.restart.policy = draft.spec.kind == .task ? .never : .always }
        if !draft.setsRetryFailedAfter {
            draft.spec.restart.retryFailedAfter =
                draft.spec.kind == .task || draft.spec.restart.policy == .never ? .zero : .seconds(300)
        }
        draft.spec.environment = merged(topEnvironment, merged(draft.fileEnvironment, draft.environment))
        if draft.spec.workingDirectory.segments == [.literal("/")], !saysDirectory(node) {
            draft.spec.workingDirectory = Template(directory)
        }
        return draft.spec
    }

    /// There is no process of ours that the socket could belong to.
    private func acceptAnyOwner(of health: inout HealthSpec) {
        health.startup?.owner = .any
        health.readiness?.owner = .any
        health.liveness?.owner = .any
    }

    private func saysDirectory(_ node: NodeID) -> Bool {
        document.value(of: "cwd", in: node) != nil || defaultsNode.flatMap { document.value(of: "cwd", in: $0) } != nil
    }

    private func decodeLayer(_ node: NodeID, into draft: inout SidecarDraft) {
        var rest = draft
        var hasOwnCommand = false
        decode(node, by: sidecarKeys, named: "a sidecar", into: &draft.spec) { form, node, spec in
            switch form {
            case .command, .script:
                if hasOwnCommand {
                    report(
                        .commandAndShell, at: node, "a sidecar has either 'command' or 'shell'", help: "remove one")
                }
                hasOwnCommand = true
                rest.commandKey = node
                if form == .command {
                    spec.program = command(node, named: "command").map { .command($0) }
                } else {
                    spec.program = script(node).map { .shell($0) }
                }
            case .directory: if let path = path(node, named: "cwd") { spec.workingDirectory = path }
            case .environment: rest.environment = merged(rest.environment, environment(node))
            case .environmentFiles: rest.fileEnvironment = environmentFiles(node)
            case .ports: decodePorts(node, into: &spec.ports)
            case .dependencies: decodeDependencies(node, into: &spec.dependencies)
            case .health: rest.health.append(node)
            case .restartPolicy:
                if let policy = choice(
                    node, among: RestartSpec.Policy.allCases.map(\.rawValue), named: "restart"
                ).flatMap(RestartSpec.Policy.init) {
                    spec.restart.policy = policy
                    rest.setsPolicy = true
                }
            case .steps: decodeSteps(node, into: &spec.stop.steps)
            case .hooks: decodeHooks(node, into: &spec.hooks)
            case .logDirectory:
                if let text = text(node, named: "dir") { spec.logs.directory = absolutePath(text, from: directory) }
            default: break
            }
        }
        if let restart = document.value(of: "restart", in: node), document.kind(restart) == .mapping {
            if document.value(of: "policy", in: restart) != nil { rest.setsPolicy = true }
            if document.value(of: "retry_failed_after", in: restart) != nil { rest.setsRetryFailedAfter = true }
        }
        rest.spec = draft.spec
        draft = rest
    }

    private func completeProgram(_ draft: inout SidecarDraft, node: NodeID, key: NodeID) {
        switch (draft.spec.kind, draft.spec.program) {
        case (.external, nil): break
        case (.external, .some):
            report(
                .externalWithCommand, at: draft.commandKey ?? key,
                "'\(draft.spec.name)' is external, so nothing is started for it",
                help: "remove 'command', or make it a service")
        case (_, nil):
            if draft.commandKey == nil, document.kind(node) == .mapping {
                report(
                    .commandMissing, at: key, "'\(draft.spec.name)' has neither 'command' nor 'shell'",
                    help: "say what runs, or write 'kind: external' for what runs elsewhere")
            }
        case (_, .some): break
        }
    }

    // MARK: Commands and paths

    func command(_ node: NodeID, named name: String) -> [Template]? {
        switch document.kind(node) {
        case .scalar: return splitCommand(node)
        case .mapping:
            report(.wrongType, at: node, "'\(name)' takes a list of arguments or one text, and this is a mapping")
            return nil
        case .sequence:
            var words: [Template] = []
            words.reserveCapacity(document.count(node))
            for position in 0..<document.count(node) {
                guard let word = template(document.item(node, at: position), named: name) else { return nil }
                words.append(word)
            }
            if words.isEmpty || words[0].segments.isEmpty {
                report(.commandEmpty, at: node, "'\(name)' names no program")
                return nil
            }
            return words
        }
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
