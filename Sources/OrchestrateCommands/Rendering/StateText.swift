import ControlAPI
import SidecarModel

/// An instance's state in words.
enum StateText {
    static func symbol(_ state: StateName) -> String {
        switch state {
        case .healthy: "●"
        case .completed: "✔"
        case .starting, .stopping: "◐"
        case .waiting, .scheduled: "○"
        case .backoff, .unhealthy: "▲"
        case .failed, .blocked: "✖"
        case .stopped: "·"
        }
    }

    /// What a person wants to know beside the state: what it waits for, when it is tried again, why it is so.
    static func detail(of instance: InstanceReport, now: Timestamp) -> String {
        switch instance.state {
        case .waiting, .blocked:
            guard instance.reason.isEmpty, !instance.waitingFor.isEmpty else { return instance.reason }
            return "waits for \(instance.waitingFor.joined(separator: ", "))"
        case .backoff:
            let next = instance.until.map { "next try in \(UnitText.duration(max(.zero, $0 - now)))" }
            return [instance.reason, next ?? ""].filter { !$0.isEmpty }.joined(separator: ", ")
        case .healthy:
            return instance.isUnverified ? "unverified: who owns the port could not be read" : ""
        case .starting, .unhealthy:
            return instance.lastProbe ?? instance.reason
        case .stopping, .failed, .scheduled, .completed, .stopped:
            return instance.reason
        }
    }
}
