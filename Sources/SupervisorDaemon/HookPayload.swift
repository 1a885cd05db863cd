import FoundationEssentials
import Reconciliation
import SidecarModel

/// What a hook is told: as JSON on its standard input (or as the body of a webhook), and as variables.
struct HookPayload: Codable {
    var event: String
    var project: String
    var sidecar: String
    var replica: Int
    var incarnation: UInt64
    var exitCode: Int32?
    var signal: String?
    var attempt: Int
    /// 0: without limit.
    var maxAttempts: Int
    var restartsTotal: Int
    var reason: String

    enum CodingKeys: String, CodingKey {
        case event, project, sidecar, replica, incarnation, signal, attempt, reason
        case exitCode = "exit_code"
        case maxAttempts = "max_attempts"
        case restartsTotal = "restarts_total"
    }

    init(_ event: HookEvent, _ facts: HookFacts, of name: InstanceName, _ incarnation: Incarnation, project: String) {
        self.event = event.rawValue
        self.project = project
        sidecar = name.sidecar
        replica = name.replica
        self.incarnation = incarnation.number
        switch facts.exit {
        case .code(let code): exitCode = code
        case .signal(let signal): self.signal = signal.description
        case .outOfMemory: signal = Signal.kill.description
        case .unknown, nil: break
        }
        attempt = facts.attempt
        maxAttempts = facts.maxAttempts
        restartsTotal = facts.restartsTotal
        reason = facts.reason
    }

    var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Numbers and texts: there is nothing that could fail to be encoded.
        return (try? encoder.encode(self)).map { [UInt8]($0) } ?? []
    }

    var variables: [(name: String, value: String)] {
        var variables = [
            ("ORCHESTRATE_EVENT", event), ("ORCHESTRATE_INCARNATION", String(incarnation)),
            ("ORCHESTRATE_ATTEMPT", String(attempt)), ("ORCHESTRATE_MAX_ATTEMPTS", String(maxAttempts)),
            ("ORCHESTRATE_RESTARTS", String(restartsTotal)), ("ORCHESTRATE_REASON", reason),
        ]
        if let exitCode { variables.append(("ORCHESTRATE_EXIT_CODE", String(exitCode))) }
        if let signal { variables.append(("ORCHESTRATE_SIGNAL", signal)) }
        return variables.map { (name: $0.0, value: $0.1) }
    }
}
