/// The states of an instance as they are shown, sent and stored.
package enum StateName: String, Hashable, Codable, Sendable, CaseIterable {
    case waiting, starting, healthy, unhealthy, stopping, stopped, backoff, completed, failed, blocked, scheduled
}

/// Who set a transition in motion.
package enum Initiator: String, Hashable, Codable, Sendable, CaseIterable {
    case user, dependency, probe, exit, apply, watch, schedule, lease, supervisor
}
