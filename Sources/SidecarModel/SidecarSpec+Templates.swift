extension SidecarSpec {
    /// Every text of the spec in which a reference may stand.
    package var templates: [Template] {
        var all: [Template] = [workingDirectory]
        switch program {
        case .command(let arguments): all += arguments
        case .shell(let script): all.append(script)
        case nil: break
        }
        all += environment.compactMap(\.value)
        for hook in hooks {
            switch hook.action {
            case .command(let arguments): all += arguments
            case .shell(let text), .webhook(let text): all.append(text)
            }
        }
        for role in ProbeRole.allCases { all += health[role]?.templates ?? [] }
        return all
    }
}

extension Probe {
    fileprivate var templates: [Template] {
        switch check {
        case .http(let http): [http.path] + http.headers.map(\.value) + [http.host].compactMap(\.self)
        case .tcp(_, let host): [host].compactMap(\.self)
        case .exec(let arguments): arguments
        case .unix(let path), .file(let path, _): [path]
        case .log, .notify: []
        }
    }
}
