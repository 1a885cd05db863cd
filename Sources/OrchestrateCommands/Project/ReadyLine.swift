import ControlAPI
import SidecarModel

/// What `up --ready-fd` writes, as one line of JSON: where everything is, or why it isn't.
enum ReadyLine: Encodable {
    case ready(Facts)
    /// With what the command exits with.
    case failed(code: Int32, reason: String)

    struct Facts: Encodable {
        var project: String
        var stateDirectory: String
        var controlSocket: String
        /// Whether the project ends with this command, or with the owner it named.
        var isBound: Bool
        /// By the names `status` shows.
        var instances: [String: Instance]
        /// Those the manifest has generated, by its names.
        var secrets: [String: String]

        enum CodingKeys: String, CodingKey {
            case project, instances, secrets
            case stateDirectory = "state_directory"
            case controlSocket = "control_socket"
            case isBound = "bound"
        }
    }

    struct Instance: Encodable {
        var sidecar: String
        var replica: Int
        var state: StateName
        var pid: Int32?
        /// By the manifest's names.
        var ports: [String: Port]
    }

    struct Port: Encodable {
        var number: UInt16
        var bind: String
        /// `127.0.0.1:8080`
        var address: String
        var transport: PortSpec.Transport
        var url: String?
    }

    private enum Key: String, CodingKey {
        case ready, error
        case exitCode = "exit_code"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .ready(let facts):
            try container.encode(true, forKey: .ready)
            try facts.encode(to: encoder)
        case .failed(let code, let reason):
            try container.encode(false, forKey: .ready)
            try container.encode(code, forKey: .exitCode)
            try container.encode(reason, forKey: .error)
        }
    }
}

extension ReadyLine.Facts {
    init(
        _ report: ProjectReport, wanted: Set<String>, secrets: [String: String], controlSocket: String, isBound: Bool
    ) {
        self.secrets = secrets
        project = report.project
        stateDirectory = report.stateDirectory
        self.controlSocket = controlSocket
        self.isBound = isBound
        instances = [:]
        for instance in report.sidecars where wanted.contains(instance.sidecar) {
            instances[instance.name] = ReadyLine.Instance(instance)
        }
    }
}

extension ReadyLine.Instance {
    fileprivate init(_ report: InstanceReport) {
        sidecar = report.sidecar
        replica = report.replica
        state = report.state
        pid = report.pid
        ports = [:]
        for port in report.ports {
            ports[port.name] = ReadyLine.Port(
                number: port.number, bind: port.bind, address: port.address, transport: port.transport, url: port.url)
        }
    }
}
