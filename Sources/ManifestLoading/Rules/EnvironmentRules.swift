import SidecarModel
import YAMLReading

/// How the names of variables end that hold what should not be read by everyone.
private let secretNames = [
    "PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIALS",
]

extension ManifestDecoder {
    /// Variables that carry a port are set by us; a value of the manifest is lost.
    func checkEnvironment(of sidecar: SidecarSpec, _ position: Int) {
        guard !sidecar.ports.isEmpty, sidecar.environment.contains(where: { $0.name.hasSuffix("PORT") }) else { return }
        let injected = portVariables(of: sidecar).map(\.variable)
        for entry in sidecar.environment where injected.contains(entry.name) {
            let origin = origin(of: entry.name, position)
            report(
                .portVariableOverridden, at: origin.node,
                "'\(entry.name)'\(origin.file.map { " in \($0)" } ?? "") is set to the port that is given, and this value "
                    + "is lost", help: "remove it, or name the port differently")
        }
    }

    /// Where the value stands that counts: for one of a file, where that is named.
    private func origin(of variable: String, _ position: Int) -> (node: NodeID, file: String?) {
        let layers = [places[position].value, defaultsNode].compactMap(\.self)
        if let node = written(variable, in: layers.lazy.map { self.document.value(of: "env", in: $0) }) {
            return (node, nil)
        }
        // Those of a sidecar stand in place of those of `defaults`.
        let files = layers.lazy.compactMap { self.document.value(of: "env_file", in: $0) }.first
        if let file = file(with: variable, in: files) { return file }
        func top(_ key: String) -> NodeID? { document.root.flatMap { document.value(of: key, in: $0) } }
        if let node = written(variable, in: [top("env")]) { return (node, nil) }
        return file(with: variable, in: top("env_file")) ?? (place(position, "env", variable), nil)
    }

    private func written(_ variable: String, in environments: some Sequence<NodeID?>) -> NodeID? {
        for environment in environments.compactMap(\.self) {
            if let entry = document.entry(variable, in: environment) { return entry.value }
        }
        return nil
    }

    private func file(with variable: String, in files: NodeID?) -> (node: NodeID, file: String?)? {
        guard let files else { return nil }
        let items = document.kind(files) == .sequence ? document.items(files) : [files]
        for item in items.reversed() {
            let node = document.value(of: "path", in: item) ?? item
            guard let path = path(node, named: "env_file")?.literal else { continue }
            if environmentFiles[path]?.contains(where: { $0.name == variable }) ?? false { return (node, path) }
        }
        return nil
    }

    /// Called for every value written into an `env:` as it is.
    func checkSecret(named name: String, value: NodeID) {
        guard isSecretName(name) || isSecretValue(value) else { return }
        let text = document.string(value)
        guard text.utf8.count >= 4, !text.hasPrefix("/"),
            !["true", "false", "none", "null", "disabled"].contains(text.lowercased())
        else { return }
        // Each its own: one name for several would hand the same value to all.
        let own = secretName(for: name)
        let declared = secretVariables[name] ?? (secretKeys[own] == nil ? nil : own)
        report(
            .secretInPlainText, at: value, "'\(name)' looks like a secret, written where everyone can read it",
            help: declared.map { "hand over a secret instead: secrets: { \(name): \($0) }" }
                ?? "declare it: secrets: { \(own): { env: \(name) } }, and hand it over: secrets: { \(name): \(own) }")
    }

    /// `DB_PASSWORD` becomes `db-password`.
    private func secretName(for variable: String) -> String {
        let words = variable.lowercased().split(separator: "_").joined(separator: "-")
        return words.isEmpty ? "secret" : String(words.prefix(63))
    }

    private func isSecretName(_ name: String) -> Bool {
        let upper = name.uppercased()
        return secretNames.contains { upper.hasSuffix($0) }
    }

    /// Forms that only keys have.
    private func isSecretValue(_ value: NodeID) -> Bool {
        guard document.count(value) >= 20 else { return false }
        let text = document.string(value)
        return ["AKIA", "ghp_", "gho_", "github_pat_", "glpat-", "sk-", "xoxb-", "xoxp-", "-----BEGIN"].contains {
            text.hasPrefix($0)
        }
    }
}

/// The variables by which a sidecar is told its ports.
func portVariables(of sidecar: SidecarSpec) -> [(variable: String, port: String)] {
    var variables = sidecar.ports.map { (portVariable($0.name), $0.name) }
    for port in sidecar.ports { if let variable = port.environmentVariable { variables.append((variable, port.name)) } }
    if sidecar.ports.count == 1 { variables.append(("PORT", sidecar.ports[0].name)) }
    return variables
}

/// `http-admin` becomes `HTTP_ADMIN_PORT`.
func portVariable(_ name: String) -> String {
    String(decoding: name.uppercased().utf8.map { isNameByte($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self) + "_PORT"
}
