import ControlAPI
import SidecarModel

/// What `up` shows: a live tree until all is well, on a terminal; lines elsewhere and afterwards, with the logs.
final class UpScreen {
    private var terminal: Terminal
    private let context: ProjectContext
    private let started: Timestamp
    /// What the tree is about. Nil: all.
    private let sidecars: Set<String>?
    private let follower: LogFollower?
    private var hasMoreLogs = false
    private var frame = LiveFrame()
    private var isDrawn = false
    /// When the frame was drawn.
    private var continuations = 0
    private var pending = EventLines()
    private var lastFrame = ContinuousClock.now - .seconds(1)
    private var lastLines: [String: String] = [:]

    init(
        terminal: Terminal, context: ProjectContext, followsLogs: Bool, started: Timestamp, sidecars: Set<String>?
    ) {
        self.sidecars = sidecars
        self.terminal = terminal
        self.context = context
        self.started = started
        if terminal.isInteractive { Continuation.watch() }
        follower = followsLogs ? LogFollower(context, since: started, palette: terminal.palette) : nil
    }

    /// There is more of the logs to be shown at once.
    var isBehind: Bool { !isDrawn && hasMoreLogs }

    /// While the tree is shown the logs wait: nobody would read them, and they would wake the loop for ever.
    var descriptors: [Int32] { isDrawn ? [] : follower.map { [$0.descriptor] } ?? [] }

    func say(_ text: String) {
        clear()
        flush()
        Console.print(text.terminalSafe)
    }

    func show(_ summary: ApplySummary) { say(SummaryText.line(summary)) }

    func show(_ transition: TransitionEvent, in view: ProjectView, isSettling: Bool) {
        switch transition.to {
        case .failed, .backoff, .unhealthy:
            if terminal.isInteractive, isSettling { rememberLastLine(of: transition) }
        case .waiting, .starting, .healthy, .stopping, .stopped, .completed, .blocked, .scheduled: break
        }
        guard !(terminal.isInteractive && isSettling), EventLine.isWorthALine(transition, in: view) else { return }
        pending.add(transition)
    }

    /// Writes the lines of a burst at once.
    func flush() {
        let text = pending.take(terminal.palette)
        if !text.isEmpty { Console.write(text) }
    }

    private func rememberLastLine(of transition: TransitionEvent) {
        guard let report = transition.report else { return }
        let lines = LogAccess.lastLines(of: [report], in: context, count: 1)
        lastLines[report.name] = lines[report.name]?.last
    }

    // MARK: The tree

    /// A burst of changes is drawn once.
    func draw(_ view: ProjectView, title: String, isLast: Bool = false) {
        guard terminal.isInteractive, isLast || lastFrame + .milliseconds(90) <= .now else { return }
        lastFrame = .now
        lookAround()
        var tree = LiveTree(terminal: terminal)
        tree.lastLines = lastLines
        tree.sidecars = sidecars
        let lines = tree.lines(view, started: started, now: .now, title: title)
        Console.write(frame.redraw(lines, on: terminal))
        isDrawn = true
    }

    /// The terminal may have been resized, and the frame be covered by what others wrote while we were stopped.
    private func lookAround() {
        terminal.measure()
        guard Continuation.count != continuations else { return }
        continuations = Continuation.count
        frame.leave()
    }

    /// Takes the tree away, so that lines can follow.
    func clear() {
        flush()
        guard isDrawn else { return }
        lookAround()
        Console.write(frame.erase(on: terminal))
        isDrawn = false
    }

    func settled(_ view: ProjectView, count: Int) {
        draw(view, title: "up", isLast: true)
        // It stays as it was drawn last.
        frame.leave()
        isDrawn = false
        let elapsed = UnitText.duration(Timestamp.now - started)
        if !terminal.isInteractive { Console.print("all \(count) ready after \(elapsed)") }
    }

    // MARK: Logs

    func followLogs() {
        guard let follower, !isDrawn else { return }
        let (lines, hasMore) = follower.next()
        hasMoreLogs = hasMore
        if !lines.isEmpty { Console.print(lines.joined(separator: "\n")) }
    }
}
