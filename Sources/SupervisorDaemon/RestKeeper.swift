import CProcess
import SidecarModel
import Supervision

/// Gives memory back once things have been quiet for a moment: what starting and applying took is not needed to wait.
/// Wakes once after each time of activity, and then no more.
final class RestKeeper {
    private static let quiet = Duration.milliseconds(300)

    private let loop: EventLoop
    private var lastActivity = Instant(nanoseconds: 0)
    private var isArmed = false

    init(loop: EventLoop) { self.loop = loop }

    func noteActivity() {
        lastActivity = loop.now
        arm(at: lastActivity + Self.quiet)
    }

    private func arm(at instant: Instant) {
        guard !isArmed else { return }
        isArmed = true
        _ = loop.schedule(at: instant) { [unowned self] in
            isArmed = false
            let due = lastActivity + Self.quiet
            if due > loop.now { arm(at: due) } else { orch_memory_rest() }
        }
    }
}
