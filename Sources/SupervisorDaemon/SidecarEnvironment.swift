import Planning
import SidecarModel

/// What a process of a sidecar is started with, as `K=V`, in one order for the same input.
struct SidecarEnvironment {
    private var order: [String] = []
    private var values: [String: String] = [:]
    private var secrets: Set<String> = []

    /// What `clear_env` keeps.
    private static let kept: Set<String> = ["PATH", "HOME", "USER", "LANG", "TZ"]
    /// Said by whoever started the project's client to that client, and to nobody else.
    private static let notInherited: Set<String> = [
        "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "WATCHDOG_USEC", "WATCHDOG_PID",
    ]

    /// - Parameter inherited: that of the client that started the project, sorted by name.
    init(inherited: [(name: String, value: String)], clears: Bool) {
        for (name, value) in inherited where !Self.notInherited.contains(name) {
            if !clears || Self.kept.contains(name) { self[name] = value }
        }
    }

    subscript(name: String) -> String? {
        get { values[name] }
        set {
            if values.updateValue(newValue ?? "", forKey: name) == nil { order.append(name) }
            if newValue == nil {
                values[name] = nil
                order.removeAll { $0 == name }
            }
        }
    }

    mutating func set(_ name: String, toSecret value: String) {
        self[name] = value
        secrets.insert(name)
    }

    var variables: [(name: String, value: String, isSecret: Bool)] {
        order.compactMap { name in values[name].map { (name, $0, secrets.contains(name)) } }
    }

    var assignments: [String] { order.compactMap { name in values[name].map { "\(name)=\($0)" } } }

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
