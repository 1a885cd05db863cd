import Planning
import SidecarModel
import Supervision

/// What a process of a sidecar is started with, as `K=V`, in one order for the same input.
struct SidecarEnvironment {
    private var order: [String] = []
    /// `K=V` by `K`: most are handed on as they came.
    private var whole: [String: String] = [:]
    private var secrets: Set<String> = []

    /// What `clear_env` keeps.
    private static let kept: Set<String> = ["PATH", "HOME", "USER", "LANG", "TZ"]
    /// Said by whoever started the project's client to that client, and to nobody else; with what its shell says of where
    /// it was and what it ran.
    private static let notInherited: Set<String> = [
        "OLDPWD", "_",
        "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "WATCHDOG_USEC", "WATCHDOG_PID",
    ]

    /// - Parameter inherited: that of the client that started the project, sorted by name.
    init(inherited: [(name: String, value: String)], clears: Bool) {
        for (name, value) in inherited where !Self.notInherited.contains(name) {
            if !clears || Self.kept.contains(name) { self[name] = value }
        }
    }

    subscript(name: String) -> String? {
        get { whole[name].map { String($0.utf8.dropFirst(name.utf8.count + 1)) ?? "" } }
        set {
            if let newValue {
                if whole.updateValue("\(name)=\(newValue)", forKey: name) == nil { order.append(name) }
            } else if whole.removeValue(forKey: name) != nil {
                order.removeAll { $0 == name }
            }
        }
    }

    static let project = "ORCHESTRATE_PROJECT"
    static let sidecar = "ORCHESTRATE_SIDECAR"
    static let replica = "ORCHESTRATE_REPLICA"

    /// What a sidecar is given before anything of its own is laid over it.
    static func base(
        of spec: SidecarSpec, _ inherited: InheritedEnvironment, workingDirectory: String
    ) -> SidecarEnvironment {
        var environment = spec.clearsEnvironment ? inherited.kept : inherited.all
        // The client's own would be taken for the sidecar's: shells and libraries trust it.
        environment["PWD"] = workingDirectory
        if spec.privileges.user != nil {
            // Whoever brought the project up is somebody else.
            for variable in ProcessIdentity.AccountVariable.allCases { environment[variable.rawValue] = nil }
        }
        return environment
    }

    /// The names of all that a sidecar is started with, sorted; nothing is resolved for it.
    static func names(of spec: SidecarSpec, _ inherited: InheritedEnvironment) -> [String] {
        var environment = base(of: spec, inherited, workingDirectory: "")
        for entry in spec.environment { environment[entry.name] = entry.value == nil ? nil : "" }
        for port in spec.ports {
            for name in portVariables(port, isOnly: spec.ports.count == 1) { environment[name] = "" }
        }
        for name in [project, sidecar, replica] { environment[name] = "" }
        for use in spec.secrets {
            environment[use.variable] = ""
            if use.form == .file { environment[SecretUse.directoryVariable] = "" }
        }
        if spec.privileges.user != nil {
            for variable in spec.accountVariables { environment[variable.rawValue] = "" }
        }
        if spec.isNotifying { environment["NOTIFY_SOCKET"] = "" }
        return environment.order.sorted()
    }

    mutating func set(_ name: String, toSecret value: String) {
        self[name] = value
        secrets.insert(name)
    }

    var variables: [(name: String, value: String, isSecret: Bool)] {
        order.compactMap { name in self[name].map { (name, $0, secrets.contains(name)) } }
    }

    var assignments: [String] { order.compactMap { whole[$0] } }

    /// The variables a port is handed over in: `NAME_PORT`, its own, and `PORT` when it is the only one.
    static func portVariables(_ port: PortSpec, isOnly: Bool) -> [String] {
        var names = [
            String(
                decoding: port.name.uppercased().utf8.map { byte -> UInt8 in
                    let isWord = (48...57).contains(byte) || (65...90).contains(byte)
                    return isWord ? byte : UInt8(ascii: "_")
                }, as: UTF8.self) + "_PORT"
        ]
        if let own = port.environmentVariable { names.append(own) }
        if isOnly { names.append("PORT") }
        return names
    }
}

/// What sidecars get of the client that started the project, laid out once for all of them.
struct InheritedEnvironment {
    let all: SidecarEnvironment
    /// What is left of it where `clear_env` says so.
    let kept: SidecarEnvironment

    init(_ environment: [String: String]) {
        let sorted = environment.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        all = SidecarEnvironment(inherited: sorted, clears: false)
        kept = SidecarEnvironment(inherited: sorted, clears: true)
    }
}
