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
        let isHalted = instance.isRestartHalted == true
        switch instance.state {
        case .waiting, .blocked:
            guard instance.reason.isEmpty, !instance.waitingFor.isEmpty else { return instance.reason }
            return "waits for \(instance.waitingFor.joined(separator: ", "))"
        case .backoff:
            let next = instance.until.map { "next try in \(UnitText.duration(max(.zero, $0 - now)))" }
            let reason = next == nil ? instance.reason : withoutDelay(instance.reason)
            return [reason, next ?? ""].filter { !$0.isEmpty }.joined(separator: ", ")
        case .healthy where isHalted: return instance.reason
        case .healthy where instance.kind == .task: return "it runs, and counts when it is done"
        case .healthy:
            return instance.isUnverified ? "unverified: who owns the port could not be read" : ""
        case .starting, .unhealthy:
            guard isHalted, let probe = instance.lastProbe else { return instance.lastProbe ?? instance.reason }
            return "\(probe); \(instance.reason)"
        case .stopping:
            return [instance.reason, stopping(instance, now: now)].filter { !$0.isEmpty }.joined(separator: "; ")
        case .failed, .scheduled, .completed, .stopped:
            return instance.reason
        }
    }

    /// `exit 3, attempt 2 of 5 in 1.2 s` without the delay, of which it is counted down how much is left.
    private static func withoutDelay(_ reason: String) -> String {
        guard let attempt = reason.ranges(of: ", attempt ").last,
            let delay = reason[attempt.upperBound...].firstRange(of: " in ")
        else { return reason }
        return String(reason[..<delay.lowerBound])
    }

    /// Who or what its end waits for; empty when that is not known.
    static func stopping(_ instance: InstanceReport, now: Timestamp) -> String {
        guard let stop = instance.stop else { return "" }
        let next = "\(stop.next ?? "") in \(UnitText.duration(max(.zero, (stop.nextAt ?? now) - now)))"
        switch stop.step {
        case .queued:
            return instance.waitingFor.isEmpty ? "" : "waits for \(instance.waitingFor.joined(separator: ", ")) to stop"
        case .endingStart: return "its start ends first"
        case .preStop: return "pre_stop runs, \(next)"
        case .signalled: return "\(stop.signal ?? "") was sent, \(next)"
        case .clearing: return "what it started is to go too, \(next)"
        case .killed: return "SIGKILL was sent"
        case .stuck: return "SIGKILL did not end it"
        }
    }

}
