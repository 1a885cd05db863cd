import ControlAPI
import SidecarModel

/// What a client knows of a project: a snapshot, kept up by events.
struct ProjectView {
    private(set) var project: ProjectReport
    private var index: [String: Int] = [:]

    init(_ project: ProjectReport) {
        self.project = project
        for (position, instance) in project.sidecars.enumerated() { index[instance.name] = position }
    }

    var instances: [InstanceReport] { project.sidecars }

    /// By instance name.
    subscript(name: String) -> InstanceReport? { index[name].map { project.sidecars[$0] } }

    /// The instances a name means: itself, or all of a sidecar.
    func instances(named name: String) -> [InstanceReport] {
        if let one = self[name] { return [one] }
        return project.sidecars.filter { $0.sidecar == name || "\($0.sidecar)/\($0.replica)" == name }
    }

    mutating func apply(_ transition: TransitionEvent, at: Timestamp) {
        guard let position = index[transition.instance] else {
            guard let report = transition.report else { return }
            index[transition.instance] = project.sidecars.count
            project.sidecars.append(report)
            return
        }
        if let report = transition.report {
            project.sidecars[position] = report
            return
        }
        var instance = project.sidecars[position]
        instance.state = transition.to
        instance.health = Health(of: transition.to)
        instance.incarnation = transition.incarnation
        instance.reason = transition.cause
        instance.since = at
        project.sidecars[position] = instance
    }
}

/// How far instances are from what was asked of them.
enum Progress: Equatable {
    case underWay
    case reached
    /// These ended otherwise, and won't get there by themselves.
    case failed([String])
}

/// What can be waited for.
enum Goal: String, CaseIterable {
    case healthy, stopped, completed

    /// - Parameter after: by instance name, the incarnation that doesn't count any more.
    func progress(of instances: [InstanceReport], after old: [String: UInt64] = [:]) -> Progress {
        var failed: [String] = []
        var isReached = true
        for instance in instances {
            let isOld = old[instance.name].map { instance.incarnation <= $0 } ?? false
            switch verdict(on: instance, isOld: isOld) {
            case .underWay: isReached = false
            case .reached: break
            case .failed: failed.append(instance.name)
            }
        }
        if !failed.isEmpty { return .failed(failed) }
        return isReached ? .reached : .underWay
    }

    private enum Verdict { case underWay, reached, failed }

    private func verdict(on instance: InstanceReport, isOld: Bool) -> Verdict {
        switch (self, instance.state) {
        case (.stopped, .stopped), (.stopped, .completed), (.stopped, .failed): .reached
        case (.stopped, _): .underWay
        case (_, _) where isOld && instance.state != .blocked: .underWay
        // A task that is alive has shown nothing yet: it is its end that counts.
        case (.healthy, .healthy) where instance.kind == .task: .underWay
        case (.healthy, .healthy), (.healthy, .completed): .reached
        case (.completed, .completed): .reached
        case (.healthy, .failed), (.completed, .failed), (.healthy, .blocked), (.completed, .blocked): .failed
        // Nobody wants it up: it won't come by waiting.
        case (.healthy, .stopped) where !instance.isWanted, (.completed, .stopped) where !instance.isWanted: .failed
        case (.healthy, _), (.completed, _): .underWay
        }
    }
}
