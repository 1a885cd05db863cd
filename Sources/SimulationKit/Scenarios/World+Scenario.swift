package import Planning
package import Reconciliation
package import SidecarModel

/// A world in which nothing happens by chance: a test says what does, and every effect is still judged.
extension World {
    /// Processes start at once, answer their probes, and leave when told, unless `natures` says otherwise.
    package init(_ sidecars: SidecarSpec..., maxParallelStarts: Int? = nil) throws(PlanError) {
        let project = ProjectSpec(name: "scenario", directory: "/", maxParallelStarts: maxParallelStarts)
        self.init(plan: try Plan(project: project, sidecars: sidecars), mix: .none, seed: 1)
        for sidecar in sidecars { natures[sidecar.name] = Nature() }
        trace = []
        auditEvery = 1
    }

    package mutating func up(_ names: [String]? = nil) throws(InvariantBroken) {
        try request(.apply(plan, selection: names))
    }

    /// Lets everything happen that is due within this time.
    package mutating func pass(_ duration: Duration) throws(InvariantBroken) {
        let end = now + duration
        while let next = nextInstant, next <= end, try step() {}
        now = max(now, end)
    }

    private var nextInstant: Instant? {
        guard supervisor == .running, finished == nil, let deadline = core.nextDeadline else { return heap.first }
        return heap.first.map { min($0, deadline) } ?? deadline
    }

    /// The leader ends by itself.
    package mutating func crash(
        _ name: String, _ replica: Int = 0, with status: ExitStatus = .code(1)
    ) throws(InvariantBroken) {
        guard let slot = slotNamed["\(name)/\(replica)"], let life = slots[slot].life else { return }
        heap.schedule(.leaderExits(life, status, isFault: false), at: now)
        try pass(.milliseconds(1))
    }

    /// The supervisor dies now, and another one takes up the project after the time given.
    package mutating func replaceSupervisor(after pause: Duration, losingKeeper: Bool = false) throws(InvariantBroken) {
        loseSupervisor(losingKeeper: losingKeeper, for: pause)
        try pass(pause)
    }

    package func status(_ name: String, _ replica: Int = 0) -> InstanceStatus? {
        core.instance(sidecar: name, replica: replica).flatMap { core.status(of: $0) }
    }

    package func state(_ name: String, _ replica: Int = 0) -> StateName? { status(name, replica)?.state }

    /// True when a process of that instance lives.
    package func lives(_ name: String, _ replica: Int = 0) -> Bool {
        guard let slot = slotNamed["\(name)/\(replica)"] else { return false }
        return slots[slot].unreleased.contains { !lives[$0].isEmpty }
    }

    /// What was done since the last call, in words, the probes left out.
    package mutating func takeEffects() -> [String] {
        let marker = "    → "
        let lines = trace ?? []
        trace = []
        return lines.compactMap { line in
            guard let arrow = line.firstRange(of: marker) else { return nil }
            let effect = String(line[arrow.upperBound...])
            return effect.hasPrefix("probe ") || effect.hasPrefix("end probes ") ? nil : effect
        }
    }
}

extension SidecarSpec {
    /// A service for a scenario: no jitter, and it settles at once.
    package static func service(
        _ name: String, after dependencies: DependencySpec..., adjusting: (inout SidecarSpec) -> Void = { _ in }
    ) -> SidecarSpec {
        plain(name, .service, dependencies, adjusting)
    }

    package static func task(
        _ name: String, after dependencies: DependencySpec..., adjusting: (inout SidecarSpec) -> Void = { _ in }
    ) -> SidecarSpec {
        plain(name, .task, dependencies, adjusting)
    }

    private static func plain(
        _ name: String, _ kind: Kind, _ dependencies: [DependencySpec], _ adjusting: (inout SidecarSpec) -> Void
    ) -> SidecarSpec {
        var spec = SidecarSpec(name: name, kind: kind, program: .command([Template("run")]))
        spec.dependencies = dependencies
        spec.start.settle = .milliseconds(10)
        spec.restart.jitter = 0
        spec.setFingerprint("command", 1, .restart)
        adjusting(&spec)
        return spec
    }

    /// As after an edit of its command.
    package func edited() -> SidecarSpec {
        var spec = self
        spec.setFingerprint("command", (fingerprints.first { $0.key == "command" }?.value ?? 0) + 1, .restart)
        return spec
    }
}

extension DependencySpec {
    package static func healthy(_ name: String, quorum: Int? = nil) -> DependencySpec {
        DependencySpec(sidecar: name, condition: .healthy, quorum: quorum)
    }

    package static func succeeded(_ name: String) -> DependencySpec {
        DependencySpec(sidecar: name, condition: .succeeded)
    }
}
