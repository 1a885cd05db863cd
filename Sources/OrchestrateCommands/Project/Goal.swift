import ControlAPI
import SidecarModel

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
        GoalTracker(self, instances, after: old).progress
    }

    fileprivate enum Verdict { case underWay, reached, failed }

    fileprivate func verdict(on instance: InstanceReport, isOld: Bool) -> Verdict {
        switch (self, instance.state) {
        case (.stopped, .stopped), (.stopped, .completed), (.stopped, .failed): .reached
        case (.stopped, _): .underWay
        // Nobody wants it up (any more): neither waiting nor the old life's end brings it.
        case (_, .stopped) where !instance.isWanted: .failed
        case (_, _) where isOld && instance.state != .blocked: .underWay
        case (.healthy, .healthy) where instance.isRestartPending == true: .underWay
        case (.healthy, .healthy), (.healthy, .completed): instance.isReady ? .reached : .underWay
        case (.completed, .completed): .reached
        case (.completed, _) where instance.neverCompletes == true: .failed
        case (.healthy, .failed), (.completed, .failed), (.healthy, .blocked), (.completed, .blocked): .failed
        case (.healthy, _), (.completed, _): .underWay
        }
    }
}

extension InstanceReport {
    /// It is what it is to be for those who need it. A task that is alive has shown nothing yet: it is its end that counts.
    var isReady: Bool { state == .completed || (state == .healthy && kind != .task) }
}

/// A goal for many instances, kept up as they change: each change costs the same, however many there are.
struct GoalTracker {
    private let goal: Goal
    private let old: [String: UInt64]
    private var verdicts: [String: Goal.Verdict] = [:]
    private var order: [String] = []
    private var pending = 0
    private var failures = 0

    init(_ goal: Goal, _ instances: [InstanceReport], after old: [String: UInt64] = [:]) {
        self.goal = goal
        self.old = old
        for instance in instances { update(instance) }
    }

    mutating func update(_ instance: InstanceReport) {
        let isOld = old[instance.name].map { instance.incarnation <= $0 } ?? false
        let verdict = goal.verdict(on: instance, isOld: isOld)
        let former = verdicts.updateValue(verdict, forKey: instance.name)
        if former == nil { order.append(instance.name) }
        pending += (verdict == .underWay ? 1 : 0) - (former == .underWay ? 1 : 0)
        failures += (verdict == .failed ? 1 : 0) - (former == .failed ? 1 : 0)
    }

    var count: Int { order.count }

    var progress: Progress {
        if failures > 0 { return .failed(order.filter { verdicts[$0] == .failed }) }
        return pending == 0 ? .reached : .underWay
    }
}
