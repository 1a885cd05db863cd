package import Planning
package import SidecarModel

/// A manifest that can be drawn at random and edited while it runs.
package struct ManifestDraft: Sendable {
    package var project = ProjectSpec(name: "simulated", directory: "/")
    package var sidecars: [SidecarSpec] = []
    /// A sidecar is called by the number it was born with, and depends on lower numbers only: no edit makes a cycle.
    private var born = 0
    /// Distinguishes one version of a key from the next.
    private var edition: UInt64 = 1
    /// As it was before the last change.
    private var before: [SidecarSpec] = []
    private var removed: [SidecarSpec] = []

    package init(drawnFrom generator: inout Generator) {
        for _ in 0..<(1 + generator.below(6)) { add(drawnFrom: &generator) }
        if generator.chance(perMille: 300) { project.maxParallelStarts = 1 + generator.below(3) }
        if generator.chance(perMille: 100), let index = sidecars.indices.randomElement(using: &generator) {
            sidecars[index].primary = true
        }
        sidecars.shuffle(using: &generator)
    }

    /// The draft as a plan. Edges go to lower numbers and to those that are there, so it always is one.
    package var plan: Plan {
        do throws(PlanError) {
            return try Plan(project: project, sidecars: sidecars)
        } catch {
            preconditionFailure("a drawn manifest is no plan: \(error)")
        }
    }

    /// One change as a person would make it.
    package mutating func edit(drawnFrom generator: inout Generator) {
        edition += 1
        if generator.chance(perMille: 120), !before.isEmpty {
            swap(&sidecars, &before)
            return
        }
        before = sidecars
        guard let index = sidecars.indices.randomElement(using: &generator) else {
            add(drawnFrom: &generator)
            return
        }
        switch generator.below(12) {
        case 0: if sidecars.count < 8 { add(drawnFrom: &generator) }
        case 1: remove(at: index)
        case 8: if sidecars.count < 8 { putBack() }
        case 9:
            sidecars[index].hooks = Self.hooks(drawnFrom: &generator)
            sidecars[index].setFingerprint("hooks", edition, .inPlace)
        case 10: project.maxParallelStarts = generator.chance(perMille: 500) ? 1 + generator.below(3) : nil
        case 2, 3: sidecars[index].setFingerprint("command", edition, .restart)
        case 11:
            sidecars[index].start = Self.start(drawnFrom: &generator)
            sidecars[index].timeout = Self.timeout(of: sidecars[index].kind, drawnFrom: &generator)
            sidecars[index].setFingerprint("timeout", edition, .inPlace)
        case 4:
            sidecars[index].restart = Self.restart(for: sidecars[index].kind, drawnFrom: &generator)
            sidecars[index].stop = Self.stop(drawnFrom: &generator)
            sidecars[index].setFingerprint("restart", edition, .inPlace)
        case 5:
            guard sidecars[index].kind == .service else { return }
            sidecars[index].replicas = generator.below(4)
            sidecars[index].setFingerprint("replicas", UInt64(sidecars[index].replicas), .inPlace)
        case 6:
            sidecars[index].health = Self.health(of: sidecars[index].kind, drawnFrom: &generator)
            sidecars[index].setFingerprint("health", edition, .inPlace)
        default:
            sidecars[index].dependencies = dependencies(of: sidecars[index].name, drawnFrom: &generator)
            sidecars[index].setFingerprint("depends_on", edition, .inPlace)
        }
    }

    /// Every sidecar becomes another one, as with a new release.
    package mutating func editAll() {
        edition += 1
        before = sidecars
        for index in sidecars.indices { sidecars[index].setFingerprint("command", edition, .restart) }
    }

    private mutating func remove(at index: Int) {
        let name = sidecars[index].name
        removed.append(sidecars.remove(at: index))
        for position in sidecars.indices {
            sidecars[position].dependencies.removeAll { $0.sidecar == name }
        }
    }

    /// What was taken out comes back as it was, as far as what it depends on is there.
    private mutating func putBack() {
        guard var spec = removed.popLast(), !sidecars.contains(where: { $0.name == spec.name }) else { return }
        spec.dependencies.removeAll { edge in !sidecars.contains { $0.name == edge.sidecar } }
        sidecars.append(spec)
    }

    private mutating func add(drawnFrom generator: inout Generator) {
        let kinds: [SidecarSpec.Kind] = [.service, .service, .service, .service, .service, .task, .task, .external]
        let kind = generator.pick(kinds) ?? .service
        var spec = SidecarSpec(
            name: "s\(born)", kind: kind, program: kind == .external ? nil : .command([Template("run")]))
        born += 1
        spec.dependencies = dependencies(of: spec.name, drawnFrom: &generator)
        spec.health = Self.health(of: kind, drawnFrom: &generator)
        spec.restart = Self.restart(for: kind, drawnFrom: &generator)
        spec.stop = Self.stop(drawnFrom: &generator)
        spec.start = Self.start(drawnFrom: &generator)
        spec.timeout = Self.timeout(of: kind, drawnFrom: &generator)
        if kind == .service, generator.chance(perMille: 300) { spec.replicas = 1 + generator.below(3) }
        if let target = spec.dependencies.first, generator.chance(perMille: 300) {
            let port = Reference.sidecarPort(sidecar: target.sidecar, replica: nil, port: "main")
            spec.environment = [EnvironmentEntry(name: "UPSTREAM", value: Template(segments: [.reference(port)]))]
        }
        spec.hooks = Self.hooks(drawnFrom: &generator)
        // Some of those that nothing checks are open to clients instead of running a process.
        if kind == .service, spec.health == HealthSpec(), born.isMultiple(of: 2) { spec.stdio = .perClient }
        spec.setFingerprint("command", edition, .restart)
        spec.setFingerprint("replicas", UInt64(spec.replicas), .inPlace)
        sidecars.append(spec)
    }

    private func dependencies(of name: String, drawnFrom generator: inout Generator) -> [DependencySpec] {
        let number = Int(name.dropFirst()) ?? 0
        var edges: [DependencySpec] = []
        for target in sidecars where (Int(target.name.dropFirst()) ?? 0) < number {
            guard generator.chance(perMille: 400) else { continue }
            let condition: DependencySpec.Condition
            switch target.kind {
            case .service: condition = generator.pick([.started, .healthy, .healthy, .healthy, .completed]) ?? .healthy
            case .task: condition = generator.pick([.started, .succeeded, .succeeded, .completed]) ?? .succeeded
            case .external: condition = .healthy
            }
            edges.append(
                DependencySpec(
                    sidecar: target.name, condition: condition, required: !generator.chance(perMille: 150),
                    quorum: target.replicas > 1 && generator.chance(perMille: 400) ? 1 : nil))
        }
        return edges
    }

    private static func health(of kind: SidecarSpec.Kind, drawnFrom generator: inout Generator) -> HealthSpec {
        var health = HealthSpec()
        guard kind != .task else { return health }
        func probe() -> Probe {
            let pushed = kind != .external && generator.chance(perMille: 150)
            var probe = Probe(pushed ? .notify : .tcp(port: .number(1), host: nil))
            probe.period = generator.duration(milliseconds: 50...2000)
            probe.timeout = generator.duration(milliseconds: 20...500)
            probe.initialDelay = generator.chance(perMille: 300) ? generator.duration(milliseconds: 0...300) : .zero
            probe.failureThreshold = 1 + generator.below(3)
            probe.successThreshold = pushed ? 1 : 1 + generator.below(2)
            return probe
        }
        if generator.chance(perMille: 350) { health.startup = probe() }
        if kind == .external || generator.chance(perMille: 600) { health.readiness = probe() }
        if kind == .service, generator.chance(perMille: 300) {
            health.liveness = probe()
            health.liveness?.check = .tcp(port: .number(1), host: nil)
        }
        return health
    }

    private static func restart(for kind: SidecarSpec.Kind, drawnFrom generator: inout Generator) -> RestartSpec {
        var policies: [RestartSpec.Policy] = [.always, .always, .onFailure, .never]
        if kind == .task { policies = [.never, .never, .onFailure] }
        var restart = RestartSpec(policy: generator.pick(policies) ?? .always)
        restart.delay = generator.duration(milliseconds: 0...500)
        restart.maxDelay = .seconds(2)
        restart.maxAttempts = generator.below(5)
        restart.resetAfter = generator.duration(milliseconds: 200...5000)
        restart.retryFailedAfter =
            generator.chance(perMille: 500) ? .zero : generator.duration(milliseconds: 1000...9000)
        if generator.chance(perMille: 250) { restart.window = generator.duration(milliseconds: 500...9000) }
        if generator.chance(perMille: 200) { restart.successCodes = [2] }
        if generator.chance(perMille: 200) { restart.noRestartCodes = [3] }
        return restart
    }

    private static func start(drawnFrom generator: inout Generator) -> StartSpec {
        StartSpec(
            timeout: generator.chance(perMille: 100) ? .zero : generator.duration(milliseconds: 6000...12_000),
            settle: generator.duration(milliseconds: 0...400))
    }

    private static func timeout(of kind: SidecarSpec.Kind, drawnFrom generator: inout Generator) -> Duration? {
        guard kind == .task, generator.chance(perMille: 300) else { return nil }
        return generator.duration(milliseconds: 500...3000)
    }

    private static func stop(drawnFrom generator: inout Generator) -> StopSpec {
        var stop = StopSpec()
        stop.grace = generator.duration(milliseconds: 0...3000)
        stop.target = generator.pick(StopSpec.Target.allCases) ?? .mixed
        if generator.chance(perMille: 200) {
            stop.steps = [
                .init(signal: .interrupt, wait: generator.duration(milliseconds: 10...500)),
                .init(signal: .terminate, wait: generator.duration(milliseconds: 10...1500)),
            ]
        }
        return stop
    }

    private static func hooks(drawnFrom generator: inout Generator) -> [HookSpec] {
        HookEvent.allCases.filter { _ in generator.chance(perMille: 120) }.map { event in
            HookSpec(event: event, action: .shell(Template("hook")), timeout: .milliseconds(800))
        }
    }
}

extension SidecarSpec {
    /// Notes the version of a key, as the key table does for a manifest that was read.
    mutating func setFingerprint(_ key: String, _ value: UInt64, _ effect: ChangeEffect) {
        fingerprints.removeAll { $0.key == key }
        fingerprints.append(KeyFingerprint(key: key, value: value, onChange: effect))
        fingerprints.sort { $0.key < $1.key }
    }
}
