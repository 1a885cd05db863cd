import Planning
import Reconciliation
import SidecarModel
import Testing

/// What becomes of a restart that another sidecar's failure, or a person, comes in the way of.
@Suite struct ReplacementTests {
    @Test func `an address that moved is not forgotten with the restart that was called off`() throws {
        var (bench, fixed) = try halted()
        #expect(bench.status("user")?.isRestartPending == false)
        #expect(bench.send(.apply(fixed, selection: nil)).contains(bench.spawn(of: "api")))
        #expect(bench.status("user")?.isRestartPending == true)
        let next = bench.spawned("api")
        #expect(next.contains(.signal(bench.place("user"), bench.incarnation("user"), .terminate, .leader)))
        _ = bench.exited("user", .signal(.terminate))
        _ = bench.spawned("user")
        #expect(bench.send(.apply(fixed, selection: nil)) == [])
        #expect(bench.status("user")?.isRestartPending == false)
    }

    @Test func `the next supervisor knows who was started with an address that moved`() throws {
        let (bench, fixed) = try halted()
        var before = bench.reconciler
        var next = Bench(plan: bench.reconciler.plan)
        next.now = bench.now
        next.reconciler.restore(
            before.takeChangedRecords().map { ($0, $0.sidecar == "user" ? .alive(pid: 100) : .neverSpawned) },
            at: next.now)
        _ = next.send(.apply(fixed, selection: nil))
        #expect(next.status("user")?.isRestartPending == true)
    }

    @Test func `who was changed and changed back, and holds an address that moved, is restarted for that`() throws {
        let api = service("api")
        let user = Self.user(of: "api")
        var bench = try Bench(api, user)
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.pass(.seconds(2))
        _ = bench.spawned("user")
        let plan = bench.reconciler.plan
        let edited = try Plan(project: plan.project, sidecars: [api.changed(), user.changed()])
        _ = bench.send(.apply(edited, selection: nil), .portMoved(bench.place("api")))
        _ = bench.send(.apply(plan, selection: nil))
        #expect(bench.status("user")?.isRestartPending == true)
    }

    /// `api` was changed, its port moved, and the new one failed, which called off the restart of `user`; and the plan in
    /// which `api` is mended.
    private func halted() throws -> (Bench, fixed: Plan) {
        var api = service("api")
        api.restart.policy = .never
        api.start.settle = .zero
        let user = Self.user(of: "api")
        var bench = try Bench(api, user)
        _ = bench.up()
        _ = bench.spawned("api")
        _ = bench.spawned("user")
        api = api.changed()
        var broken = api
        broken.start.settle = .seconds(1)
        let project = bench.reconciler.plan.project
        _ = bench.send(
            .apply(try Plan(project: project, sidecars: [broken, user]), selection: nil), .portMoved(bench.place("api"))
        )
        #expect(bench.status("user")?.isRestartPending == true)
        _ = bench.exited("api", .signal(.terminate))
        _ = bench.spawned("api")
        _ = bench.exited("api", .code(1))
        #expect(bench.state("api") == .failed)
        #expect(bench.state("user") == .healthy)
        return (bench, try Plan(project: project, sidecars: [api.changed(), user]))
    }

    private static func user(of name: String) -> SidecarSpec {
        var user = service("user", after: (name, .healthy))
        let port = Reference.sidecarPort(sidecar: name, replica: nil, port: "http")
        user.environment = [EnvironmentEntry(name: "API", value: Template(segments: [.reference(port)]))]
        user.start.settle = .zero
        return user
    }
}

extension SidecarSpec {
    /// As after an edit of its command.
    func changed() -> SidecarSpec {
        var spec = self
        spec.fingerprints[0].value += 1
        return spec
    }
}
