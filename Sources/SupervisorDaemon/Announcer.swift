import ControlAPI
import ControlServer
import Reconciliation
import SidecarModel
import Supervision

/// Tells clients of transitions: at once when things are quiet, in batches while many start or stop.
///
/// Whoever listens would otherwise be woken for each of a thousand starts, and take the processor from the next one.
/// Confined to the loop's thread.
final class Announcer {
    /// The longest a transition waits while others are on their way.
    private static let interval = Duration.milliseconds(50)

    private let loop: EventLoop
    private let reports: () -> ReportBuilder
    weak var server: ControlServer?
    private var pending: [Engine.Announcement] = []
    /// Instances that start or stop: more is to be told soon.
    private var underWay: Set<InstanceIndex> = []
    private var lastTold = Instant(nanoseconds: 0)
    private var timer: EventLoop.TimerID?

    init(loop: EventLoop, reports: @escaping () -> ReportBuilder) {
        self.loop = loop
        self.reports = reports
    }

    /// To be told by the next `tellIfDue`, or before what is told otherwise.
    func announce(_ announcements: [Engine.Announcement]) {
        for announcement in announcements {
            switch announcement.transition.to {
            case .starting, .stopping: underWay.insert(announcement.transition.instance)
            case .waiting, .healthy, .unhealthy, .stopped, .backoff, .completed, .failed, .blocked, .scheduled:
                underWay.remove(announcement.transition.instance)
            }
        }
        guard server != nil else { return }
        pending += announcements
    }

    /// Once the turn's effects are on their way.
    func tellIfDue() {
        guard !pending.isEmpty else { return }
        let due = lastTold + Self.interval
        if underWay.isEmpty || due <= loop.now {
            tell()
        } else if timer == nil {
            timer = loop.schedule(at: due) { [unowned self] in tell() }
        }
    }

    /// Tells what waits. Before anything else is told, and before a snapshot that holds it already.
    func tell() {
        if let timer { loop.cancel(timer) }
        timer = nil
        guard !pending.isEmpty, let server else { return }
        lastTold = loop.now
        let builder = reports()
        let withReports = server.hasReportSubscribers
        for announcement in pending {
            let transition = announcement.transition
            let event = TransitionEvent(
                instance: announcement.shown, incarnation: transition.incarnation.number,
                from: transition.from, to: transition.to, initiator: transition.initiator, cause: transition.cause,
                causedBy: transition.causedBy, isAssumed: builder.isAssumed(transition) ? true : nil,
                report: withReports ? builder.report(of: transition.instance) : nil)
            server.publish(
                EventMessage(
                    sequence: announcement.sequence, at: builder.clock.timestamp(transition.at),
                    event: .transition(event)))
        }
        pending.removeAll(keepingCapacity: pending.count <= 64)
    }
}
