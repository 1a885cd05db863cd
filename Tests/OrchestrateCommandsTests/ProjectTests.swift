import ControlAPI
import SidecarModel
import Testing

@testable import OrchestrateCommands

@Suite struct ProjectTests {
    @Test(arguments: [
        ("id: com.x.app\n", ManifestIdentity.Finding.found("com.x.app")),
        ("version: 1\nid:   'com.x'  # why\n", .found("com.x")),
        ("\"id\": \"a#b\"\n", .found("a#b")),
        ("id: a#b # c\n", .found("a#b")),
        ("id: ${NAME}\n", .needsReading),
        ("{ \"id\": \"x\" }", .needsReading),
        ("# id: no\nsidecars:\n  id: { command: x }\n", .none),
        ("id:\n", .none),
        ("id: [broken\nsidecars: {", .found("[broken")),
        ("", .none),
    ])
    func `the id is found without reading the manifest`(text: String, finding: ManifestIdentity.Finding) {
        #expect(ManifestIdentity.scan(Array(text.utf8)) == finding)
    }

    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("1.5s", .milliseconds(1500)), ("1m30s", .seconds(90)), ("0", .zero),
        ("2h", .seconds(7200)),
    ])
    func `durations are read`(text: String, duration: Duration) {
        #expect(DurationArgument(argument: text)?.value == duration)
    }

    @Test(arguments: ["", "5", "5x", "s", "-5s", "1s1m", "99999999999999999999s"])
    func `what is no duration is refused`(text: String) {
        #expect(DurationArgument(argument: text) == nil)
    }

    @Test func `a duration without a unit is refused with the way to write it`() {
        let refused = #expect(throws: (any Error).self) { try DurationArgument.parse("5") }
        #expect(refused.map { "\($0)" } == "'5' is without a unit; write 5s for seconds, or 5ms, 5m, 5h, 5d")
    }

    private func report(_ name: String, _ state: StateName, incarnation: UInt64 = 1, isWanted: Bool = true)
        -> InstanceReport
    {
        InstanceReport(
            name: name, sidecar: String(name.split(separator: "/")[0]), replica: 0, kind: .service, state: state,
            isWanted: isWanted, incarnation: incarnation, since: Timestamp(microseconds: 0))
    }

    @Test func `up is reached when all are healthy or completed, and failed by one that can't be`() {
        #expect(Goal.healthy.progress(of: [report("a", .healthy), report("b", .completed)]) == .reached)
        #expect(Goal.healthy.progress(of: [report("a", .healthy), report("b", .backoff)]) == .underWay)
        #expect(
            Goal.healthy.progress(of: [report("a", .blocked), report("b", .failed), report("c", .starting)])
                == .failed(["a", "b"]))
        #expect(Goal.healthy.progress(of: []) == .reached)
    }

    @Test func `what is always restarted never completes, and nobody waits for that`() {
        var endless = report("a", .healthy)
        #expect(Goal.completed.progress(of: [endless]) == .underWay)
        endless.neverCompletes = true
        #expect(Goal.completed.progress(of: [endless]) == .failed(["a"]))
        #expect(Goal.healthy.progress(of: [endless]) == .reached)
    }

    @Test func `a restart is over with a later life only`() {
        let before: [String: UInt64] = ["a": 4]
        #expect(Goal.healthy.progress(of: [report("a", .healthy, incarnation: 4)], after: before) == .underWay)
        #expect(Goal.healthy.progress(of: [report("a", .failed, incarnation: 4)], after: before) == .underWay)
        #expect(Goal.healthy.progress(of: [report("a", .healthy, incarnation: 5)], after: before) == .reached)
        // Stopped in the meantime, by somebody else or as its supervision was lost.
        let stopped = report("a", .stopped, incarnation: 4, isWanted: false)
        #expect(Goal.healthy.progress(of: [stopped], after: before) == .failed(["a"]))
    }

    @Test func `what nobody wants will not become healthy`() {
        #expect(Goal.healthy.progress(of: [report("a", .stopped, isWanted: false)]) == .failed(["a"]))
        #expect(Goal.stopped.progress(of: [report("a", .stopped), report("b", .failed)]) == .reached)
        #expect(Goal.stopped.progress(of: [report("a", .stopping)]) == .underWay)
    }

    @Test func `a view follows events, and names mean instances or sidecars`() {
        var view = ProjectView(
            ProjectReport(
                project: "p", identity: "p", directory: "/", manifest: "/m", stateDirectory: "/s", phase: .running,
                sidecars: [report("mcp/0", .starting), report("mcp/1", .starting)]))
        view.apply(
            TransitionEvent(
                instance: "mcp/1", incarnation: 2, from: .starting, to: .healthy, initiator: .probe, cause: "ok"),
            at: Timestamp(microseconds: 5))
        #expect(view["mcp/1"]?.state == .healthy)
        #expect(view["mcp/1"]?.health == .healthy)
        #expect(view.instances(named: "mcp").count == 2)
        #expect(view.instances(named: "mcp/0").map(\.name) == ["mcp/0"])
        #expect(view.instances(named: "nobody").isEmpty)
    }
}
