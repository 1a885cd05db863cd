import ControlAPI
import Reconciliation
import SidecarModel
import Supervision

// A report of what failed, while what is known of it is fresh.
extension Supervisor {
    func reportFailures(among announcements: [Engine.Announcement]) {
        for announcement in announcements where announcement.transition.to == .failed {
            report(announcement.transition.instance, announcement.name, token: announcement.sequence)
        }
    }

    private func report(_ index: InstanceIndex, _ name: InstanceName, token: UInt64) {
        guard let spec = engine.reconciler.spec(of: index) else { return }
        var source = CrashReportSource(
            location, sidecar: name.sidecar, replica: name.replica, spec: spec, inherited: inheritedEnvironment)
        source.live = reports.report(of: index)
        source.containment = ContainmentReport(
            level: host.containment.level.rawValue, description: host.containment.description)
        failuresToReport[token] = source
        // Its last words are what it is about.
        logs.drain(name.logInstance, token: token)
    }

    func outputIsWritten(_ token: UInt64) {
        if let source = failuresToReport.removeValue(forKey: token) { reporter.report(source) }
    }

    /// The logs are closed: whatever was waited for is in them.
    func finishReports() {
        for source in failuresToReport.sorted(by: { $0.key < $1.key }).map(\.value) { reporter.report(source) }
        failuresToReport = [:]
        reporter.finish()
    }
}
