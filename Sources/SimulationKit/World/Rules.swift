import Planning
import SidecarModel

/// What the manifest asks of an instance, as plain numbers: the invariants look at it at every effect.
struct Rules {
    struct Thresholds {
        var startupSuccess = 1
        var readinessSuccess = 1
        var readinessFailure = 1
    }

    struct Edge {
        var target: Int
        var condition: DependencySpec.Condition
        var required: Bool
        var quorum: Int?
    }

    var kind = SidecarSpec.Kind.service
    var hasStartup = false
    var hasReadiness = false
    var hasLiveness = false
    var pushes: (startup: Bool, readiness: Bool) = (false, false)
    var probeTimeout: (startup: Duration, readiness: Duration, liveness: Duration) = (.zero, .zero, .zero)
    var thresholds = Thresholds()
    var settle = Duration.zero
    var grace = Duration.zero
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

    init(_ spec: SidecarSpec, edges: [Plan.Edge]) {
        kind = spec.kind
        hasStartup = spec.health.startup != nil
        hasReadiness = spec.health.readiness != nil
        hasLiveness = spec.health.liveness != nil
        pushes = (spec.health.startup?.isPushed ?? false, spec.health.readiness?.isPushed ?? false)
        probeTimeout = (
            spec.health.startup?.timeout ?? .zero, spec.health.readiness?.timeout ?? .zero,
            spec.health.liveness?.timeout ?? .zero
        )
        thresholds = Thresholds(
            startupSuccess: pushes.startup ? 1 : spec.health.startup?.successThreshold ?? 1,
            readinessSuccess: pushes.readiness ? 1 : spec.health.readiness?.successThreshold ?? 1,
            readinessFailure: spec.health.readiness?.failureThreshold ?? 1)
        settle = spec.start.settle
        grace = spec.stop.sequence.reduce(.zero) { $0 + $1.wait }
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
            Edge(target: $0.target, condition: $0.condition, required: $0.required, quorum: $0.quorum)
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
