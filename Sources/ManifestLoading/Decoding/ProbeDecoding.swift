import Glibc
import SidecarModel
import YAMLReading

/// The ports a probe can name.
struct PortScope {
    var sidecar: String
    var ports: [PortSpec]
    var unread: UnreadPorts
}

extension ManifestDecoder {
    /// By role, or one bare probe, which is the readiness probe.
    func decodeHealth(_ node: NodeID, into health: inout HealthSpec, _ scope: PortScope) {
        guard document.kind(node) == .mapping else {
            reportKind(of: node, "'health'", takes: "a mapping", help: "for example health: { http: /health }")
            return
        }
        let pairs = document.pairs(node)
        let roles = pairs.map { ProbeRole(rawValue: document.string($0.key)) }
        guard roles.contains(where: { $0 != nil }) else {
            health.readiness = probe(node, role: .readiness, over: health.readiness, of: scope)
            return
        }
        for (position, pair) in pairs.enumerated() {
            guard let role = roles[position] else {
                report(
                    .healthMixed, at: pair.key,
                    "'\(document.string(pair.key))' stands beside a probe's role, and belongs into one",
                    help: "move it into startup, readiness or liveness")
                continue
            }
            if document.isNull(pair.value) {
                report(.missingValue, at: pair.key, "'\(role.rawValue)' has no value", help: "give it a check")
                continue
            }
            let probe = probe(pair.value, role: role, over: health[role], of: scope)
            switch role {
            case .startup: health.startup = probe
            case .readiness: health.readiness = probe
            case .liveness: health.liveness = probe
            }
        }
    }

    private func probe(_ node: NodeID, role: ProbeRole, over base: Probe?, of scope: PortScope) -> Probe? {
        // A check that can't be read stays a check: that the probe is missing would be a second, wrong complaint.
        var probe = base ?? Probe(.exec([]))
        var checks: [NodeID] = []
        decode(node, by: probeKeys, named: "a probe", into: &probe) { form, node, probe in
            checks.append(node)
            if let check = check(form, node, of: scope) { probe.check = check }
        }
        guard document.kind(node) == .mapping else { return base }
        if checks.count > 1 {
            report(
                .probeWithSeveralChecks, at: checks[1], "a probe has one check, and this is another",
                help: "keep one, or use one for readiness and one for liveness",
                related: [related("the first is here", checks[0])])
        } else if checks.isEmpty, base == nil {
            if lacksForm(of: probeKeys, in: node) {
                report(
                    .probeWithoutCheck, at: node, "the \(role.rawValue) probe has no check",
                    help: "add one of http, tcp, exec, unix, file, log and notify")
            }
        }
        return probe
    }

    private func check(_ form: Form, _ node: NodeID, of scope: PortScope) -> Probe.Check? {
        switch form {
        case .http: http(node, of: scope).map { .http($0) }
        case .tcp: tcp(node, of: scope)
        case .exec: command(node, named: "exec", of: probeKeys).map { .exec($0) }
        case .unix: path(node, named: "unix").map { .unix(path: $0) }
        case .file: file(node)
        case .log: log(node)
        case .notify: notify(node)
        default: nil
        }
    }

    // MARK: Checks

    private func http(_ node: NodeID, of scope: PortScope) -> Probe.HTTP? {
        var http = Probe.HTTP(path: Template("/"), port: .number(0))
        var hasPort = false
        if document.kind(node) == .scalar {
            guard let path = requestPath(node) else { return nil }
            http.path = path
        } else {
            guard document.kind(node) == .mapping else {
                _ = expect(.mapping, node, named: "http")
                return nil
            }
            decode(node, by: httpKeys, named: "http", into: &http) { form, node, http in
                switch form {
                case .path: if let path = requestPath(node) { http.path = path }
                case .portChoice:
                    hasPort = true
                    if let port = portChoice(node, of: scope) { http.port = port }
                case .host: http.host = host(node)
                case .scheme: checkScheme(node)
                case .method: if let method = method(node) { http.method = method }
                case .headers: http.headers = headers(node)
                case .statusRange: if let status = statusRange(node) { http.status = status }
                case .pattern: http.body = pattern(node, named: "body")
                default: break
                }
            }
        }
        if !hasPort {
            guard let port = onlyPort(of: scope, at: node) else { return nil }
            http.port = port
        }
        return http
    }

    private func tcp(_ node: NodeID, of scope: PortScope) -> Probe.Check? {
        if document.kind(node) == .scalar { return portChoice(node, of: scope).map { .tcp(port: $0, host: nil) } }
        var tcp = TCPCheck()
        decode(node, by: tcpKeys, named: "tcp", into: &tcp) { form, node, tcp in
            if form == .host { tcp.host = host(node) } else { tcp.port = portChoice(node, of: scope) }
        }
        if tcp.port == nil, document.value(of: "port", in: node) == nil { tcp.port = onlyPort(of: scope, at: node) }
        return tcp.port.map { .tcp(port: $0, host: tcp.host) }
    }

    private func file(_ node: NodeID) -> Probe.Check? {
        if document.kind(node) == .scalar { return path(node, named: "file").map { .file(path: $0, maxAge: nil) } }
        var file = FileCheck()
        decode(node, by: fileKeys, named: "file", into: &file) { _, node, file in file.path = path(node, named: "path")
        }
        if lacks(["path"], of: fileKeys, in: node) {
            report(.missingKey, at: node, "the file check doesn't say which file", help: "add 'path:'")
        }
        return file.path.map { .file(path: $0, maxAge: file.maxAge) }
    }

    private func log(_ node: NodeID) -> Probe.Check? {
        if document.kind(node) == .scalar {
            return pattern(node, named: "log").map { .log(pattern: $0, stream: .any) }
        }
        var log = LogCheck()
        decode(node, by: logCheckKeys, named: "log", into: &log) { _, node, log in
            log.pattern = pattern(node, named: "pattern")
        }
        if lacks(["pattern"], of: logCheckKeys, in: node) {
            report(.missingKey, at: node, "the log check doesn't say what to look for", help: "add 'pattern:'")
        }
        return log.pattern.map { .log(pattern: $0, stream: log.stream) }
    }

    private func notify(_ node: NodeID) -> Probe.Check? {
        guard let flag = flag(node, named: "notify") else { return nil }
        guard flag else {
            report(.invalidChoice, at: node, "'notify' can only be true", help: "remove the probe instead")
            return nil
        }
        return .notify
    }

    // MARK: Their parts

    private func onlyPort(of scope: PortScope, at node: NodeID) -> Probe.PortChoice? {
        guard scope.unread.isEmpty else { return nil }
        if scope.ports.count == 1 { return .named(scope.ports[0].name) }
        report(
            .probeNeedsPort, at: node,
            scope.ports.isEmpty ? "the probe names no port, and there is none" : "the probe must say which port",
            help: scope.ports.isEmpty
                ? "add 'port:' with a number, or declare the port under 'ports:'"
                : "add 'port:' with one of \(scope.ports.map(\.name).joined(separator: ", "))")
        return nil
    }

    private func portChoice(_ node: NodeID, of scope: PortScope) -> Probe.PortChoice? {
        if document.kind(node) == .scalar, hasDollar(node) {
            // `${ports.http}` says the same as the name.
            let result = interpolate(document.string(node), at: node, mode: .full)
            if case .reference(.port(let name)) = result.template.segments.first, result.template.segments.count == 1 {
                return .named(name)
            }
        }
        guard let text = text(node, named: "port") else { return nil }
        if let number = UInt16(text), number > 0 { return .number(number) }
        if scope.ports.contains(where: { $0.name == text }) { return .named(text) }
        if scope.unread.mayHold(text) { return nil }
        let names = scope.ports.map(\.name)
        report(
            .unknownPort, at: node, "'\(scope.sidecar)' has no port '\(text)'",
            help: closest(to: text, among: names).map { "did you mean '\($0)'?" }
                ?? (names.isEmpty ? "declare it under 'ports:'" : "its ports are \(names.joined(separator: ", "))"))
        return nil
    }

    private func requestPath(_ node: NodeID) -> Template? {
        guard let read = interpolated(node, named: "path") else { return nil }
        let path = read.template
        // What a variable would have said is not known, and may be all of it.
        guard !read.isUnresolved else { return path }
        guard case .literal(let text) = path.segments.first, text.hasPrefix("/"),
            !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F })
        else {
            let isAddress = path.literal?.hasPrefix("http") == true
            report(
                .invalidHTTPRequest, at: node, "a request's path begins with '/' and has no spaces",
                help: isAddress ? "split the address into path, port and host" : "for example /health")
            return nil
        }
        return path
    }

    private func host(_ node: NodeID) -> Template? {
        guard let host = interpolated(node, named: "host") else { return nil }
        guard !host.isUnresolved else { return host.template }
        let sample = host.template.rendered { _ in "1" }
        guard !sample.isEmpty, !sample.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") })
        else {
            report(
                .invalidHost, at: node, "'\(sample)' is no host",
                help: "a name or an address alone, such as localhost or 127.0.0.1")
            return nil
        }
        return host.template
    }

    private func checkScheme(_ node: NodeID) {
        guard let scheme = text(node, named: "scheme"), scheme != "http" else { return }
        if scheme == "https" {
            report(
                .unsupportedProbe, at: node, "https checks are not supported in this version",
                help: "check with exec and curl, or with tcp")
        } else {
            report(.invalidChoice, at: node, "'scheme' can't be '\(scheme)'", help: "it is http")
        }
    }

    private func method(_ node: NodeID) -> String? {
        guard let method = text(node, named: "method") else { return nil }
        guard !method.isEmpty, method.utf8.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: "-") }) else {
            report(.invalidHTTPRequest, at: node, "'\(method)' is no method", help: "for example GET or HEAD")
            return nil
        }
        return method.uppercased()
    }

    private func headers(_ node: NodeID) -> [Probe.HTTP.Header] {
        guard expect(.mapping, node, named: "headers") else { return [] }
        return document.pairs(node).compactMap { key, value in
            let name = document.string(key)
            guard !name.isEmpty, name.utf8.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: "-") }) else {
                report(.invalidHTTPRequest, at: key, "'\(name)' is no header's name")
                return nil
            }
            guard !document.isNull(value) else {
                report(
                    .missingValue, at: key, "the header '\(name)' has no value",
                    help: "quote it: \"\" for an empty one, \"~\" or \"null\" for the text")
                return nil
            }
            guard let template = template(value, named: name) else { return nil }
            for case .literal(let text) in template.segments where text.utf8.contains(where: { $0 < 0x20 }) {
                report(.invalidHTTPRequest, at: value, "a header's value is one line")
                return nil
            }
            return Probe.HTTP.Header(name: name, value: template)
        }
    }

    private func statusRange(_ node: NodeID) -> ClosedRange<Int>? {
        guard let text = text(node, named: "status") else { return nil }
        let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard (1...2).contains(numbers.count), let first = numbers.first, let last = numbers.last,
            (100...599).contains(first), (100...599).contains(last), first <= last
        else {
            report(.invalidStatus, at: node, "'\(text)' is no status", help: "for example 200 or 200-399")
            return nil
        }
        return first...last
    }

    /// An extended regular expression, checked by the library that will match it.
    private func pattern(_ node: NodeID, named name: String) -> String? {
        guard let text = text(node, named: name) else { return nil }
        var expression = regex_t()
        let code = regcomp(&expression, text, REG_EXTENDED | REG_NOSUB)
        guard code == 0 else {
            var message = [CChar](repeating: 0, count: 128)
            regerror(code, &expression, &message, message.count)
            let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            report(
                .invalidPattern, at: node, "'\(text)' is no regular expression: \(reason.lowercased())",
                help: "extended syntax; a backslash makes a character plain, as in \\( or \\[")
            return nil
        }
        regfree(&expression)
        return text
    }
}
