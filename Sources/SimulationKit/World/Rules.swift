import Planning
import SidecarModel

/// What the manifest asks of an instance, as plain numbers: the invariants look at it at every effect.
struct Rules {
    struct Thresholds {
        var startupSuccess = 1
        var readinessSuccess = 1
        var readinessFailure = 1
        var livenessFailure = 1
    }

    struct Edge {
        var target: Int
        /// The target's name: places change with the plan.
        var sidecar: String
        var condition: DependencySpec.Condition
        var required: Bool
        var quorum: Int?
    }

    var kind = SidecarSpec.Kind.service
    var hasStartup = false
    var hasReadiness = false
    var hasLiveness = false
    var pushes: (startup: Bool, readiness: Bool) = (false, false)
    var period: (startup: Duration, readiness: Duration, liveness: Duration) = (.zero, .zero, .zero)
    var probeTimeout: (startup: Duration, readiness: Duration, liveness: Duration) = (.zero, .zero, .zero)
    var thresholds = Thresholds()
    var settle = Duration.zero
    /// It is open to clients, and has no process of its own.
    var isDoor = false
    var grace = Duration.zero
    /// The longest a stop may last until SIGKILL: each step may be granted a moment beyond the grace.
    var longestStop = Duration.zero
    var startTimeout = Duration.zero
    var runTimeout: Duration?
    var policy = RestartSpec.Policy.always
    var maxAttempts = 0
    var window: Duration?
    var resetAfter = Duration.zero
    var minimumDelay = Duration.zero
    var successCodes: [Int32] = []
    var noRestartCodes: [Int32] = []
    var hasPreStart = false
    var hasPreStop = false
    var hookTimeout = Duration.zero
    var isPrimary = false
    var fingerprint: UInt64 = 0
    /// Places in `World.groups`.
    var edges: [Edge] = []

    init() {}

    init(_ spec: SidecarSpec, edges: [Plan.Edge], of plan: Plan) {
        kind = spec.kind
        hasStartup = spec.health.startup != nil
        hasReadiness = spec.health.readiness != nil
        hasLiveness = spec.health.liveness != nil
        pushes = (spec.health.startup?.isPushed ?? false, spec.health.readiness?.isPushed ?? false)
        period = (
            spec.health.startup?.period ?? .zero, spec.health.readiness?.period ?? .zero,
            spec.health.liveness?.period ?? .zero
        )
        probeTimeout = (
            spec.health.startup?.timeout ?? .zero, spec.health.readiness?.timeout ?? .zero,
            spec.health.liveness?.timeout ?? .zero
        )
        thresholds = Thresholds(
            startupSuccess: pushes.startup ? 1 : spec.health.startup?.successThreshold ?? 1,
            readinessSuccess: pushes.readiness ? 1 : spec.health.readiness?.successThreshold ?? 1,
            readinessFailure: spec.health.readiness?.failureThreshold ?? 1,
            livenessFailure: spec.health.liveness?.failureThreshold ?? 1)
        settle = spec.settlingTime
        isDoor = spec.stdio == .perClient
        grace = spec.stop.sequence.reduce(.zero) { $0 + $1.wait }
        longestStop = grace + .seconds(2) * spec.stop.sequence.count
        startTimeout = spec.start.timeout
        runTimeout = spec.kind == .task ? spec.timeout : nil
        policy = spec.restart.policy
        maxAttempts = spec.restart.maxAttempts
        window = spec.restart.window
        resetAfter = spec.restart.resetAfter
        minimumDelay = .nanoseconds(
            Int64(Double(min(spec.restart.delay, spec.restart.maxDelay).nanoseconds) * (1 - spec.restart.jitter)))
        successCodes = spec.restart.successCodes
        noRestartCodes = spec.restart.noRestartCodes
        hasPreStart = spec.hooks.contains { $0.event == .preStart }
        hasPreStop = spec.hooks.contains { $0.event == .preStop }
        hookTimeout = spec.hooks.map(\.timeout).max() ?? .zero
        isPrimary = spec.primary
        fingerprint = spec.restartFingerprint
        self.edges = edges.map {
            Edge(
                target: $0.target, sidecar: plan.sidecars[$0.target].name, condition: $0.condition,
                required: $0.required, quorum: $0.quorum)
        }
    }

    func isSuccess(_ status: ExitStatus) -> Bool {
        if case .code(let code) = status { code == 0 || successCodes.contains(code) } else { false }
    }

    /// True when the policy lets an instance that ended this way start again by itself.
    func allowsRestart(after status: ExitStatus) -> Bool {
        if case .code(let code) = status, noRestartCodes.contains(code) { return false }
        switch policy {
        case .always: return true
        case .onFailure: return !isSuccess(status)
        case .never: return false
        }
    }

    func timeout(of role: ProbeRole) -> Duration {
        switch role {
        case .startup: probeTimeout.startup
        case .readiness: probeTimeout.readiness
        case .liveness: probeTimeout.liveness
        }
    }

    func period(of role: ProbeRole) -> Duration {
        switch role {
        case .startup: period.startup
        case .readiness: period.readiness
        case .liveness: period.liveness
        }
    }

    func has(_ role: ProbeRole) -> Bool {
        switch role {
        case .startup: hasStartup
        case .readiness: hasReadiness
        case .liveness: hasLiveness
        }
    }

    func isPushed(_ role: ProbeRole) -> Bool {
        switch role {
        case .startup: pushes.startup
        case .readiness: pushes.readiness
        case .liveness: false
        }
    }
}
