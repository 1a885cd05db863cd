import SidecarModel
import YAMLReading

/// Ports that are declared and could not be read: that was said where they are, and who names one is not wrong too.
struct UnreadPorts {
    var names: Set<String> = []
    /// Nobody knows which were meant.
    var isAny = false

    var isEmpty: Bool { names.isEmpty && !isAny }

    func mayHold(_ name: String) -> Bool { isAny || names.contains(name) }
}

/// Ports, dependencies, stop steps and hooks.
extension ManifestDecoder {
    // MARK: Ports

    func decodePorts(_ node: NodeID, into ports: inout [PortSpec], unread: inout UnreadPorts) {
        guard expect(.mapping, node, named: "ports") else {
            unread.isAny = true
            return
        }
        for (key, value) in document.pairs(node) {
            let name = document.string(key)
            guard isSidecarName(name) else {
                report(
                    .invalidPortName, at: key, "'\(name)' can't be a port's name",
                    help: "lower-case letters, digits, '-' and '_', beginning with a letter or digit")
                unread.names.insert(name)
                continue
            }
            let position = ports.firstIndex { $0.name == name }
            guard let port = port(value, named: name, key: key, over: position.map { ports[$0] }) else {
                unread.names.insert(name)
                continue
            }
            if let position { ports[position] = port } else { ports.append(port) }
        }
    }

    private func port(_ node: NodeID, named name: String, key: NodeID, over base: PortSpec?) -> PortSpec? {
        if document.isNull(node) {
            report(.missingValue, at: key, "the port '\(name)' has no value", help: "a number, a range, or auto")
            return nil
        }
        if document.kind(node) != .mapping {
            return wantedPort(node).map { PortSpec(name: name, wanted: $0) }
        }
        var wanted: PortSpec.Wanted? = base?.wanted
        var port = base ?? PortSpec(name: name, wanted: .automatic)
        decode(node, by: portKeys, named: "a port", into: &port) { form, node, port in
            switch form {
            case .portRange: wanted = wantedPort(node)
            case .bindAddress:
                guard let address = text(node, named: "bind") else { return }
                if isNumericAddress(address) {
                    port.bind = address
                } else {
                    report(
                        .invalidBindAddress, at: node, "'\(address)' is no numeric address",
                        help: "for example 127.0.0.1, 0.0.0.0 or ::1")
                }
            default: break
            }
        }
        guard let wanted else {
            if lacks(["port"], of: portKeys, in: node) {
                report(
                    .missingKey, at: key, "the port '\(name)' doesn't say which",
                    help: "add 'port:' with a number, a range, or auto")
            }
            return nil
        }
        port.wanted = wanted
        if document.value(of: "strict", in: node) == nil, base == nil {
            port.strict = PortSpec(name: "", wanted: wanted).strict
        }
        if let variable = port.environmentVariable, !isVariableName(variable) {
            report(
                .invalidVariableName, at: document.value(of: "env", in: node) ?? node,
                "'\(variable)' can't be a variable's name")
        }
        return port
    }

    private func wantedPort(_ node: NodeID) -> PortSpec.Wanted? {
        guard document.kind(node) == .scalar else {
            reportKind(
                of: node, "a port", takes: "a number, a range or auto", help: "for example 8080, 8080-8200 or auto")
            return nil
        }
        guard let text = text(node, named: "port") else { return nil }
        if text == "auto" { return .automatic }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in UInt16(part).flatMap { $0 > 0 ? $0 : nil } }
        guard numbers.count == parts.count, (1...2).contains(parts.count) else {
            report(
                .invalidPort, at: node, "'\(text)' is no port",
                help: "a number from 1 to 65535, a range such as 8080-8200, or auto")
            return nil
        }
        guard numbers.count == 2 else { return .number(numbers[0]) }
        guard numbers[0] <= numbers[1] else {
            report(
                .portRangeReversed, at: node, "the range \(text) ends before it begins",
                help: "write \(parts[1])-\(parts[0])")
            return nil
        }
        return numbers[0] == numbers[1] ? .number(numbers[0]) : .range(numbers[0], numbers[1])
    }

    // MARK: Dependencies

    func decodeDependencies(_ node: NodeID, into dependencies: inout [DependencySpec]) {
        switch document.kind(node) {
        case .scalar:
            report(
                .wrongType, at: node, "'depends_on' takes a list or a mapping, and this is a single value",
                help: "write [\(document.string(node))]")
        case .sequence:
            for item in document.items(node) {
                guard document.kind(item) == .scalar else {
                    reportListed(item)
                    continue
                }
                guard let name = text(item, named: "depends_on") else { continue }
                add(
                    DependencySpec(sidecar: name, condition: .started), at: item, hasCondition: false, isListed: true,
                    to: &dependencies)
            }
        case .mapping:
            for (key, value) in document.pairs(node) {
                decodeDependency(key, value, into: &dependencies)
            }
        }
    }

    private func reportListed(_ item: NodeID) {
        let name = document.pairs(item).first.map { document.string($0.key) } ?? "db"
        reportKind(
            of: item, "a list of 'depends_on'", takes: "names",
            help: "write all of it as a mapping, for example depends_on: { \(name): healthy }")
    }

    private func decodeDependency(_ key: NodeID, _ value: NodeID, into dependencies: inout [DependencySpec]) {
        var dependency = DependencySpec(sidecar: document.string(key), condition: .started)
        var hasCondition = false
        if document.isNull(value) {
            // The name alone, as in a list.
        } else if document.kind(value) == .scalar {
            hasCondition = decodeCondition(value, into: &dependency)
        } else {
            decode(value, by: dependencyKeys, named: "a dependency", into: &dependency) { form, node, dependency in
                if form == .condition { hasCondition = decodeCondition(node, into: &dependency) }
            }
        }
        add(dependency, at: key, hasCondition: hasCondition, to: &dependencies)
    }

    private func decodeCondition(_ node: NodeID, into dependency: inout DependencySpec) -> Bool {
        let choices = DependencySpec.Condition.allCases.map(\.rawValue)
        guard let condition = choice(node, among: choices, named: "condition").flatMap(DependencySpec.Condition.init)
        else { return false }
        dependency.condition = condition
        return true
    }

    private func add(
        _ dependency: DependencySpec, at node: NodeID, hasCondition: Bool, isListed: Bool = false,
        to dependencies: inout [DependencySpec]
    ) {
        guard let current else { return }
        if dependencies.contains(where: { $0.sidecar == dependency.sidecar }) {
            report(.duplicateDependency, at: node, "'\(dependency.sidecar)' is listed twice", help: "keep one of them")
            return
        }
        self.dependencies.append(
            WrittenDependency(
                sidecar: current, position: dependencies.count, node: node, hasCondition: hasCondition,
                isListed: isListed))
        dependencies.append(dependency)
    }

    // MARK: Stop steps

    func decodeSteps(_ node: NodeID, into steps: inout [StopSpec.Step]) {
        guard expect(.sequence, node, named: "steps") else { return }
        steps = document.items(node).map { item in
            var step = StepForm()
            decode(item, by: stepKeys, named: "a step", into: &step) { _, _, _ in }
            return StopSpec.Step(signal: step.signal, wait: step.wait)
        }
    }

    // MARK: Hooks

    func decodeHooks(_ node: NodeID, into hooks: inout [HookSpec]) {
        guard expect(.mapping, node, named: "hooks") else { return }
        for (key, value) in document.pairs(node) {
            let name = document.string(key)
            guard let event = HookEvent(rawValue: name) else {
                let names = HookEvent.allCases.map(\.rawValue)
                report(
                    .unknownKey, at: key, "there is no hook '\(name)'",
                    help: closest(to: name, among: names).map { "did you mean '\($0)'?" }
                        ?? "the hooks are \(names.joined(separator: ", "))")
                continue
            }
            guard let hook = hook(value, event: event) else { continue }
            if let position = hooks.firstIndex(where: { $0.event == event }) {
                hooks[position] = hook
            } else {
                hooks.append(hook)
            }
        }
    }

    private func hook(_ node: NodeID, event: HookEvent) -> HookSpec? {
        var actions = 0
        var draft = HookForm()
        guard document.kind(node) == .mapping else {
            reportKind(
                of: node, "'\(event.rawValue)'", takes: "a mapping",
                help: "for example \(event.rawValue): { exec: [./notify.sh] }")
            return nil
        }
        decode(node, by: hookKeys, named: event.rawValue, into: &draft) { form, node, draft in
            actions += 1
            switch form {
            case .command: draft.action = command(node, named: "exec", of: hookKeys).map { .command($0) }
            case .script: draft.action = script(node).map { .shell($0) }
            case .path: draft.action = webhook(node).map { .webhook($0) }
            default: break
            }
        }
        if actions == 0, lacksForm(of: hookKeys, in: node) {
            report(
                .hookWithoutAction, at: node, "'\(event.rawValue)' does nothing",
                help: "add 'exec', 'shell' or 'webhook'")
        } else if actions > 1 {
            report(.hookWithSeveralActions, at: node, "'\(event.rawValue)' has more than one action", help: "keep one")
        }
        return draft.action.map { HookSpec(event: event, action: $0, timeout: draft.timeout) }
    }

    private func webhook(_ node: NodeID) -> Template? {
        guard let address = interpolated(node, named: "webhook") else { return nil }
        guard !address.isUnresolved else { return address.template }
        // What is known only at run time can be a host, a part of one, a port, or a part of the path.
        let sample = address.template.rendered { _ in "1" }
        do {
            _ = try Webhook(url: sample)
            return address.template
        } catch {
            report(.invalidWebhook, at: node, error.reason, help: help(for: error, in: sample))
            return nil
        }
    }

    private func help(for failure: Webhook.Failure, in url: String) -> String {
        switch failure {
        case .notHTTP where url.hasPrefix("https://"):
            "https is not supported in this version; send it through a local proxy, or use exec with curl"
        case .notHTTP, .noHost: "for example http://127.0.0.1:9000/alert"
        case .userName: "remove it, or use exec with curl"
        case .port: "a number from 1 to 65535"
        case .unprintable: "write a space as %20"
        }
    }
}

func isVariableName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy(isNameByte)
}

/// `127.0.0.1` or `::1`, no name.
func isNumericAddress(_ text: String) -> Bool {
    if text.utf8.contains(UInt8(ascii: ":")) { return isIPv6Address(text) }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
        && parts.allSatisfy { part in part.utf8.count <= 3 && UInt8(part) != nil && !part.hasPrefix("+") }
}

private func isIPv6Address(_ text: String) -> Bool {
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    guard halves.count <= 2 else { return false }
    let groups = halves.flatMap { $0.split(separator: ":", omittingEmptySubsequences: false) }.filter { !$0.isEmpty }
    guard groups.allSatisfy({ $0.utf8.count <= 4 && UInt16($0, radix: 16) != nil }) else { return false }
    return halves.count == 2 ? groups.count < 8 : groups.count == 8
}
