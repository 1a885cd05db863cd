package import Planning
package import SidecarModel

/// Decides what is to be done so that what runs becomes what is declared. Pure: time is an argument, the world answers
/// through `observe`, deadlines are state.
///
/// After `reconcile(at:)` a second call at the same instant returns nothing, and `nextDeadline` is later than it.
package struct Reconciler: Sendable {
    package private(set) var plan: Plan
    /// Transitions since `takeTransitions()`.
    private var transitions: [Transition] = []

    /// - Parameter seed: of the generator that draws the jitter.
    package init(plan: Plan, seed: UInt64) {
        self.plan = plan
    }

    /// Takes up a project after its supervisor ended: records from the store, and what became of each process. Call
    /// before the first `observe`.
    package mutating func restore(_ records: [(InstanceRecord, Survival)], at now: Instant) {}

    /// Folds one fact or request in.
    package mutating func observe(_ input: Input, at now: Instant) {}

    /// What is to be done now.
    package mutating func reconcile(at now: Instant) -> [Effect] { [] }

    /// When to call again if nothing happens before. Nil: not at all.
    package var nextDeadline: Instant? { nil }

    package mutating func takeTransitions() -> [Transition] {
        defer { transitions.removeAll(keepingCapacity: true) }
        return transitions
    }

    /// Instances whose record changed since the last call, with what to store.
    package mutating func takeChangedRecords() -> [InstanceRecord] { [] }

    /// The instance's place, or nil when it is not declared.
    package func instance(sidecar: String, replica: Int) -> InstanceIndex? { nil }

    /// Every instance there is, those being removed too, in manifest order.
    package var instances: [InstanceIndex] { [] }

    package func status(of instance: InstanceIndex) -> InstanceStatus? { nil }

    /// The spec this instance runs, or would be started, by.
    package func spec(of instance: InstanceIndex) -> SidecarSpec? { nil }

    /// Sidecars with running instances that require one of these, transitively: whom a stop would pull the ground from.
    package func dependents(runningOn sidecars: [String]) -> [String] { [] }
}
