import Glibc
import Reconciliation
import SidecarModel
import Supervision

/// Secrets, users and limits: what a sidecar and its helpers are started with beside their environment.
extension Launcher {
    /// Lays the secrets over the environment.
    func addSecrets(
        of spec: SidecarSpec, _ name: InstanceName, to environment: inout SidecarEnvironment
    ) throws(SpawnFailure) {
        for use in spec.secrets {
            let value = try secretValue(use.secret)
            switch use.form {
            case .file:
                let directory = credentials.directory(of: spec, name)
                environment[use.variable] = directory + "/" + use.secret
                environment[SecretUse.directoryVariable] = directory
            case .environment:
                environment.set(use.variable, toSecret: try text(value, of: use.secret))
            }
        }
    }

    /// The files of those it gets as files.
    func credentialFiles(of spec: SidecarSpec, _ name: InstanceName) throws(SpawnFailure) -> CredentialFiles? {
        var files: [(name: String, bytes: [UInt8])] = []
        for use in spec.secrets where use.form == .file {
            files.append((use.secret, try secretValue(use.secret)))
        }
        return files.isEmpty
            ? nil
            : CredentialFiles(
                directory: credentials.directory(of: spec, name), isShared: spec.mayBeForeign, files: files)
    }

    private func secretValue(_ secret: String) throws(SpawnFailure) -> [UInt8] {
        if let value = secrets.value(of: secret) { return value }
        throw SpawnFailure(
            step: .environment,
            message: "the value of the secret '\(secret)' is not known any more; bring the project up again to read it")
    }

    /// Without the newline that most files and commands end with. Says nothing of the value when it can't be used.
    private func text(_ bytes: [UInt8], of secret: String) throws(SpawnFailure) -> String {
        let bytes = bytes.last == 0x0A ? bytes.dropLast() : bytes[...]
        if !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) { return text }
        throw SpawnFailure(
            step: .environment,
            message: "the secret '\(secret)' is no text, which a variable can't hold; hand it over with 'as: file'")
    }

    /// Applies to the sidecar, its hooks and its exec probes alike.
    func takePrivileges(
        of spec: SidecarSpec, _ name: InstanceName, for request: inout ProcessRequest
    ) throws(SpawnFailure) {
        request.identity = ProcessIdentity(
            spec.privileges, inheritedLimits: limits,
            accountVariables: spec.privileges.user == nil ? [] : spec.accountVariables)
        request.umask = spec.privileges.umask ?? umask
        request.resources = spec.privileges.resources
        request.credentials = try credentialFiles(of: spec, name)
    }
}

extension SidecarSpec {
    /// It may run as a user who can't enter the state directory.
    var mayBeForeign: Bool { geteuid() == 0 && (privileges.user != nil || privileges.group != nil) }

    /// Those that neither `env` nor `secrets` sets, and the user's account therefore does.
    var accountVariables: [ProcessIdentity.AccountVariable] {
        ProcessIdentity.AccountVariable.allCases.filter { variable in
            !environment.contains { $0.name == variable.rawValue }
                && !secrets.contains { $0.variable == variable.rawValue }
        }
    }
}

/// Where secrets lie as files.
struct CredentialPlaces {
    /// For sidecars of the supervisor's own user: in the state directory.
    private let own: String
    /// For those of other users, who can't enter that.
    private let foreign: String

    init(stateDirectory: String) {
        own = stateDirectory + "/credentials"
        let project = stateDirectory.split(separator: "/").last.map(String.init) ?? "project"
        var hasher = StableHasher()
        hasher.combine(stateDirectory)
        foreign = "/run/orchestrate/\(project)-\(String(hasher.value & 0xFFFF, radix: 16))"
    }

    /// A socket for sidecars of other users to say by sd_notify that they are ready.
    var foreignNotifyPath: String { foreign + "/notify" }

    func directory(of spec: SidecarSpec, _ name: InstanceName) -> String {
        (spec.mayBeForeign ? foreign : own) + "/\(name.sidecar).\(name.replica)"
    }

    /// So that other users may reach what lies in it by name.
    func prepareForeign() throws(SystemError) { try CredentialFiles.makePassable(foreign) }

    func remove(_ name: InstanceName) {
        for place in [own, foreign] { Directory.remove("\(place)/\(name.sidecar).\(name.replica)") }
    }

    func removeAll() {
        unlink(foreignNotifyPath)
        for place in [own, foreign] { CredentialFiles.removeAll(in: place) }
    }
}
