import Planning
import Reconciliation
import SidecarModel

/// A reconciler on a workbench: the test says what happens, and reads what is asked for.
struct Bench {
    var reconciler: Reconciler
    var now = Instant(nanoseconds: 1_000_000_000)

    init(_ sidecars: SidecarSpec..., cap: Int? = nil) throws { try self.init(sidecars, cap: cap) }

    init(_ sidecars: [SidecarSpec], cap: Int? = nil) throws {
        let project = ProjectSpec(name: "test", directory: "/", maxParallelStarts: cap)
        self.init(plan: try Plan(project: project, sidecars: sidecars))
    }

    init(plan: Plan) { reconciler = Reconciler(plan: plan, seed: 7) }

    mutating func up(_ names: [String]? = nil) -> [Effect] { send(.apply(reconciler.plan, selection: names)) }

    mutating func send(_ inputs: Input...) -> [Effect] {
        for input in inputs { reconciler.observe(input, at: now) }
        return reconciler.reconcile(at: now)
    }

    /// Goes to the next deadline.
    mutating func wait() -> [Effect] {
        if let deadline = reconciler.nextDeadline { now = max(now, deadline) }
        return reconciler.reconcile(at: now)
    }

    mutating func pass(_ duration: Duration) -> [Effect] {
        now = now + duration
        return reconciler.reconcile(at: now)
    }

    func place(_ name: String, _ replica: Int = 0) -> InstanceIndex {
        reconciler.instance(sidecar: name, replica: replica) ?? InstanceIndex(-1)
    }

    func status(_ name: String, _ replica: Int = 0) -> InstanceStatus? {
        reconciler.status(of: place(name, replica))
    }

    func state(_ name: String, _ replica: Int = 0) -> StateName? { status(name, replica)?.state }

    func incarnation(_ name: String, _ replica: Int = 0) -> Incarnation {
        status(name, replica)?.incarnation ?? Incarnation(0)
    }

    func spawn(of name: String, _ replica: Int = 0) -> Effect {
        .spawn(place(name, replica), incarnation(name, replica))
    }

    mutating func spawned(_ name: String, _ replica: Int = 0) -> [Effect] {
        send(.spawned(place(name, replica), incarnation(name, replica), Spawned(pid: 100)))
    }

    mutating func probed(_ name: String, _ replica: Int = 0, _ outcome: ProbeOutcome) -> [Effect] {
        send(.probed(place(name, replica), incarnation(name, replica), .readiness, outcome))
    }

    mutating func exited(_ name: String, _ status: ExitStatus, _ replica: Int = 0) -> [Effect] {
        let (place, incarnation) = (place(name, replica), incarnation(name, replica))
        return send(.exited(place, incarnation, status), .emptied(place, incarnation))
    }
}

func service(_ name: String, after dependencies: (String, DependencySpec.Condition)...) -> SidecarSpec {
    var spec = SidecarSpec(name: name, program: .command([Template("serve")]))
    spec.dependencies = dependencies.map { DependencySpec(sidecar: $0.0, condition: $0.1) }
    spec.fingerprints = [KeyFingerprint(key: "command", value: 1, onChange: .restart)]
    return spec
}
