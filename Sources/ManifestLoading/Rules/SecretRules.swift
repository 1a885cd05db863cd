import SidecarModel
import YAMLReading

/// Secrets are there, reach someone, and stay out of what is shown.
extension ManifestDecoder {
    func checkSecrets() {
        let declared = Set(secretKeys.keys)
        var used: Set<String> = []
        for use in writtenSecretUses {
            used.insert(use.secret)
            guard !declared.contains(use.secret) else { continue }
            let names = declared.sorted()
            report(
                .unknownSecret, at: use.node, "there is no secret '\(use.secret)'",
                help: closest(to: use.secret, among: names).map { "did you mean '\($0)'?" }
                    ?? "declare it at the top level: secrets: { \(use.secret): { env: NAME } }")
        }
        for secret in project.secrets where !hasUnreadSecretUse && !used.contains(secret.name) {
            guard let key = secretKeys[secret.name] else { continue }
            report(
                .unusedSecret, at: key, "no sidecar gets the secret '\(secret.name)'",
                help: "name it in a sidecar: secrets: { VARIABLE: \(secret.name) }")
        }
        checkInterpolatedSecrets()
        for (position, sidecar) in sidecars.enumerated() where !sidecar.secrets.isEmpty {
            checkOverridden(by: sidecar, position)
        }
    }

    /// What is interpolated becomes part of the manifest: of arguments anyone can list, and of what `env` prints.
    private func checkInterpolatedSecrets() {
        for (name, node) in interpolatedVariables {
            guard let secret = secretVariables[name] else { continue }
            report(
                .secretInterpolated, at: node,
                "${\(name)} is the secret '\(secret)', and would be shown as part of this",
                help: "hand it over as a variable: secrets: { \(name): \(secret) }")
        }
    }

    private func checkOverridden(by sidecar: SidecarSpec, _ position: Int) {
        let ports = sidecar.ports.isEmpty ? [] : portVariables(of: sidecar).map(\.variable)
        checkDirectoryVariable(of: sidecar, position)
        for use in sidecar.secrets {
            if ports.contains(use.variable) {
                report(
                    .secretVariableClash, at: place(position, "secrets", use.variable),
                    "'\(use.variable)' carries a port, and can't carry the secret '\(use.secret)' too",
                    help: "choose another variable")
            } else if sidecar.environment.contains(where: { $0.name == use.variable }) {
                report(
                    .secretVariableClash, at: place(position, "env", use.variable),
                    "'\(use.variable)' is set by 'env' and by 'secrets'", help: "keep one of them")
            }
        }
    }

    /// Beside a secret that is a file, the variable for the directory of those is set by us.
    private func checkDirectoryVariable(of sidecar: SidecarSpec, _ position: Int) {
        let name = SecretUse.directoryVariable
        guard sidecar.secrets.contains(where: { $0.form == .file }) else { return }
        let use = sidecar.secrets.first { $0.variable == name }
        guard use != nil || sidecar.environment.contains(where: { $0.name == name }) else { return }
        report(
            .secretVariableClash, at: place(position, use == nil ? "env" : "secrets", name),
            "'\(name)' carries the directory of the secrets that are files, and can't carry "
                + (use.map { "the secret '\($0.secret)' too" } ?? "another value"), help: "choose another variable")
    }

    /// Whether the sources are there; what they say is read when the project is brought up.
    func checkSecretSources() {
        var known = KnownPlaces()
        for secret in project.secrets {
            guard let key = secretKeys[secret.name] else { continue }
            switch secret.source {
            case .file(let path) where isUnread(path): break
            case .file(let path):
                switch files.kind(of: path) {
                case .file where files.mayRead(path): break
                case .file, .hidden:
                    report(
                        .secretNotFound, at: key,
                        "cannot read \(path) for the secret '\(secret.name)': permission denied",
                        help: "let this user read it")
                case .directory, .other: report(.secretNotFound, at: key, "\(path) is no file", help: nil)
                case nil:
                    report(
                        .secretNotFound, at: key, "there is no file \(path) for the secret '\(secret.name)'",
                        help: "create it, readable by you alone")
                }
            case .environment(let name):
                guard options.interpolates, variable(name) == nil, !reportsDotEnvironment(at: key) else { continue }
                report(
                    .secretNotFound, at: key,
                    "the variable \(name) is not set, and the secret '\(secret.name)' is in it",
                    help: "set it in the environment or in .env beside the manifest")
            case .command(let words):
                let source = document.value(of: secret.name, in: secretsNode ?? key) ?? key
                checkProgram(
                    words.map { Template($0) }, from: directory, along: ownSearchPath,
                    at: document.value(of: "command", in: source) ?? key, named: "the manifest's directory", &known)
            case .generated: break
            }
        }
    }
}
