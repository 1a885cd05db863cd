package import SidecarModel

/// What happened, for whoever subscribed. Cases hold what is true of them.
package enum ControlEvent: Hashable, Sendable {
    case transition(TransitionEvent)
    /// A port was taken by another, and the instance was given a new one.
    case portChanged(instance: String, port: String, from: UInt16, to: UInt16)
    /// `up` handed over a manifest.
    case applied(ApplySummary)
    case leaseTaken(ClientIdentity)
    /// The project no longer ends with that client.
    case leaseEnded(reason: String)
    /// Everything is down; the supervisor ends. The code is the project's.
    case finished(code: Int32, survivors: [SurvivorReport])
    /// This subscriber read too slowly: what it missed is in the journal, what is true now in `status`.
    case missed(count: Int)
    /// Something a person should know.
    case warning(String)
}

package struct TransitionEvent: Hashable, Codable, Sendable {
    package var instance: String
    package var incarnation: UInt64
    package var from: StateName
    package var to: StateName
    package var initiator: Initiator
    /// Why, as a sentence.
    package var cause: String
    package var causedBy: String?
    /// True: healthy for having lived long enough, and nothing was asked.
    package var isAssumed: Bool?
    /// The instance as it is by the end of the turn it was part of, for subscribers that asked for reports.
    package var report: InstanceReport?

    enum CodingKeys: String, CodingKey {
        case instance, incarnation, from, to, initiator, cause, report
        case causedBy = "caused_by"
        case isAssumed = "assumed"
    }

    package init(
        instance: String, incarnation: UInt64, from: StateName, to: StateName, initiator: Initiator, cause: String,
        causedBy: String? = nil, isAssumed: Bool? = nil, report: InstanceReport? = nil
    ) {
        self.instance = instance
        self.incarnation = incarnation
        self.from = from
        self.to = to
        self.initiator = initiator
        self.cause = cause
        self.causedBy = causedBy
        self.isAssumed = isAssumed
        self.report = report
    }
}

/// A process that lives on after SIGKILL.
package struct SurvivorReport: Hashable, Codable, Sendable {
    package var instance: String
    package var pid: Int32
    package var state: String
    package var waitChannel: String

    enum CodingKeys: String, CodingKey { case instance, pid, state, waitChannel = "wait_channel" }

    package init(instance: String, pid: Int32, state: String, waitChannel: String) {
        self.instance = instance
        self.pid = pid
        self.state = state
        self.waitChannel = waitChannel
    }
}

/// An event as it is sent and as `events` prints it: one flat object whose `kind` says which keys are there.
package struct EventMessage: Hashable, Codable, Sendable {
    /// Of a transition the journal's number, which rises by one with each; of anything else that of the last one before it.
    package var sequence: UInt64
    package var at: Timestamp
    package var event: ControlEvent

    package init(sequence: UInt64, at: Timestamp, event: ControlEvent) {
        self.sequence = sequence
        self.at = at
        self.event = event
    }

    private enum Kind: String, Codable {
        case transition, applied, finished, missed, warning
        case portChanged = "port_changed"
        case leaseTaken = "lease_taken"
        case leaseEnded = "lease_ended"
    }

    private enum Key: String, CodingKey {
        case sequence, at, kind, instance, port, from, to, client, reason, code, survivors, count, message, summary
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        sequence = try container.decode(UInt64.self, forKey: .sequence)
        at = try container.decode(Timestamp.self, forKey: .at)
        switch try container.decode(Kind.self, forKey: .kind) {
        case .transition: event = .transition(try TransitionEvent(from: decoder))
        case .applied: event = .applied(try container.decode(ApplySummary.self, forKey: .summary))
        case .portChanged:
            event = .portChanged(
                instance: try container.decode(String.self, forKey: .instance),
                port: try container.decode(String.self, forKey: .port),
                from: try container.decode(UInt16.self, forKey: .from),
                to: try container.decode(UInt16.self, forKey: .to))
        case .leaseTaken: event = .leaseTaken(try container.decode(ClientIdentity.self, forKey: .client))
        case .leaseEnded: event = .leaseEnded(reason: try container.decode(String.self, forKey: .reason))
        case .finished:
            event = .finished(
                code: try container.decode(Int32.self, forKey: .code),
                survivors: try container.decode([SurvivorReport].self, forKey: .survivors))
        case .missed: event = .missed(count: try container.decode(Int.self, forKey: .count))
        case .warning: event = .warning(try container.decode(String.self, forKey: .message))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(sequence, forKey: .sequence)
        try container.encode(at, forKey: .at)
        switch event {
        case .transition(let transition):
            try container.encode(Kind.transition, forKey: .kind)
            try transition.encode(to: encoder)
        case .applied(let summary):
            try container.encode(Kind.applied, forKey: .kind)
            try container.encode(summary, forKey: .summary)
        case .portChanged(let instance, let port, let from, let to):
            try container.encode(Kind.portChanged, forKey: .kind)
            try container.encode(instance, forKey: .instance)
            try container.encode(port, forKey: .port)
            try container.encode(from, forKey: .from)
            try container.encode(to, forKey: .to)
        case .leaseTaken(let client):
            try container.encode(Kind.leaseTaken, forKey: .kind)
            try container.encode(client, forKey: .client)
        case .leaseEnded(let reason):
            try container.encode(Kind.leaseEnded, forKey: .kind)
            try container.encode(reason, forKey: .reason)
        case .finished(let code, let survivors):
            try container.encode(Kind.finished, forKey: .kind)
            try container.encode(code, forKey: .code)
            try container.encode(survivors, forKey: .survivors)
        case .missed(let count):
            try container.encode(Kind.missed, forKey: .kind)
            try container.encode(count, forKey: .count)
        case .warning(let message):
            try container.encode(Kind.warning, forKey: .kind)
            try container.encode(message, forKey: .message)
        }
    }
}
