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
            report(
                .portVariableOverridden, at: place(position, "env", entry.name),
                "'\(entry.name)' is set to the port that is given, and this value is lost",
                help: "remove it, or name the port differently")
        }
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
