import Planning
import Reconciliation
import SidecarModel
import Supervision

/// Turns a spec into what is executed: references rendered, environment laid out, the shell where the manifest says so.
struct Launcher {
    let plan: Plan
    let addresses: AddressBook
    let inherited: InheritedEnvironment
    let notifySocket: String?
    /// Of the client that started the project.
    let umask: UInt32
    /// The same client's, where they are not the supervisor's.
    let limits: [LimitSpec]
    /// For those who run as another user.
    let foreignNotifySocket: String?
    let secrets: SecretVault
    let credentials: CredentialPlaces

    func render(_ template: Template, for name: InstanceName) throws(SpawnFailure) -> String {
        try template.rendered { reference throws(SpawnFailure) in
            try addresses.value(of: reference, for: name, in: plan) { sidecar in
                plan.sidecars.first { $0.name == sidecar }
            }
        }
    }

    func arguments(of action: [Template], for name: InstanceName) throws(SpawnFailure) -> [String] {
        var arguments: [String] = []
        arguments.reserveCapacity(action.count)
        for template in action { arguments.append(try render(template, for: name)) }
        return arguments
    }

    func environment(of spec: SidecarSpec, _ name: InstanceName) throws(SpawnFailure) -> SidecarEnvironment {
        var environment = SidecarEnvironment.base(
            of: spec, inherited, workingDirectory: try workingDirectory(of: spec, name))
        for entry in spec.environment {
            if let value = entry.value {
                environment[entry.name] = try render(value, for: name)
            } else {
                environment[entry.name] = nil
            }
        }
        try addSecrets(of: spec, name, to: &environment)
        let assigned = addresses.ports(of: name)
        for port in spec.ports {
            guard let number = assigned.first(where: { $0.name == port.name })?.number else { continue }
            for variable in SidecarEnvironment.portVariables(port, isOnly: spec.ports.count == 1) {
                environment[variable] = String(number)
            }
        }
        environment[SidecarEnvironment.project] = plan.project.name
        environment[SidecarEnvironment.sidecar] = name.sidecar
        environment[SidecarEnvironment.replica] = String(name.replica)
        let socket = spec.mayBeForeign ? foreignNotifySocket : notifySocket
        if let socket, spec.isNotifying { environment["NOTIFY_SOCKET"] = socket }
        return environment
    }

    func workingDirectory(of spec: SidecarSpec, _ name: InstanceName) throws(SpawnFailure) -> String {
        try render(spec.workingDirectory, for: name)
    }

    /// What starts the sidecar itself.
    func request(for spec: SidecarSpec, _ name: InstanceName, _ incarnation: Incarnation) throws(SpawnFailure)
        -> ProcessRequest
    {
        let arguments: [String]
        switch spec.program {
        case .command(let templates): arguments = try self.arguments(of: templates, for: name)
        case .shell(let script): arguments = Self.shell(try render(script, for: name))
        case nil: throw SpawnFailure(step: .execute, message: "'\(name.sidecar)' has no command")
        }
        var request = ProcessRequest(
            name: name.indexed, kind: .sidecar, incarnation: incarnation.number, arguments: arguments,
            environment: try environment(of: spec, name).assignments,
            workingDirectory: try workingDirectory(of: spec, name))
        try takePrivileges(of: spec, name, for: &request)
        return request
    }

    /// What starts the process of one client.
    func clientRequest(for spec: SidecarSpec, _ name: InstanceName, number: UInt64) throws(SpawnFailure)
        -> ProcessRequest
    {
        var request = try request(for: spec, name, Incarnation(number))
        request.name = name.indexed + Self.clientSuffix
        request.kind = .client
        return request
    }

    static let clientSuffix = ":client"

    /// A hook or an exec probe: in the sidecar's environment and directory.
    func helper(
        _ arguments: [String], of spec: SidecarSpec, _ name: InstanceName, _ incarnation: Incarnation,
        kind: ProcessKind, called label: String, adding facts: [(name: String, value: String)] = []
    ) throws(SpawnFailure) -> ProcessRequest {
        var environment = try environment(of: spec, name)
        // What the sidecar says about itself is not what its helper may say.
        environment["NOTIFY_SOCKET"] = nil
        for fact in facts { environment[fact.name] = fact.value }
        var request = ProcessRequest(
            name: "\(name.indexed):\(label)", kind: kind, incarnation: incarnation.number, arguments: arguments,
            environment: environment.assignments, workingDirectory: try workingDirectory(of: spec, name))
        try takePrivileges(of: spec, name, for: &request)
        return request
    }

    static func shell(_ script: String) -> [String] { ["/bin/sh", "-c", script] }
}

extension SidecarSpec {
    /// It tells by sd_notify when it is ready.
    var isNotifying: Bool {
        ProbeRole.allCases.contains { if case .notify = health[$0]?.check { true } else { false } }
    }
}
