import Planning
import SidecarModel
import Testing

@Suite struct PlanTests {
    private func sidecar(_ name: String, after dependencies: String...) -> SidecarSpec {
        var spec = SidecarSpec(name: name, program: .command([Template("true")]))
        spec.dependencies = dependencies.map { DependencySpec(sidecar: $0, condition: .started) }
        return spec
    }

    private let project = ProjectSpec(name: "test", directory: "/")

    @Test func `a dependency stands in an earlier wave than its dependent`() throws {
        let plan = try Plan(
            project: project, sidecars: [sidecar("web", after: "api"), sidecar("api", after: "db"), sidecar("db")])
        #expect(plan.waves == [[2], [1], [0]])
        #expect(plan.dependents[2] == [1])
    }

    @Test func `each strongly connected component reports one shortest cycle`() {
        let sidecars = [
            sidecar("a", after: "b"), sidecar("b", after: "c", "a"), sidecar("c", after: "a"),
            sidecar("x", after: "x"), sidecar("free"),
        ]
        #expect(throws: PlanError(unknown: [], cycles: [["a", "b", "a"], ["x", "x"]])) {
            try Plan(project: project, sidecars: sidecars)
        }
    }

    @Test func `a chain of a hundred thousand is planned without recursion`() throws {
        var sidecars = [sidecar("s0")]
        for index in 1..<100_000 { sidecars.append(sidecar("s\(index)", after: "s\(index - 1)")) }
        let plan = try Plan(project: project, sidecars: sidecars)
        #expect(plan.waves.count == 100_000)
    }

    @Test func `a name stands for a sidecar, or for an instance there is to be`() throws {
        var each = SidecarSpec(name: "tools")
        each.stdio = .perClient
        var several = SidecarSpec(name: "mcp")
        several.replicas = 2
        let plan = try Plan(
            project: ProjectSpec(name: "p", directory: "/"), sidecars: [SidecarSpec(name: "web"), several, each])
        #expect(plan.unknown(among: ["web", "web/0", "mcp", "mcp/1", "tools/7"]) == nil)
        let unknown = try #require(plan.unknown(among: ["nope", "mcp/2", "mcp/x", "web/", "web/-1", "mcp/1"]))
        #expect(unknown.names == ["nope", "mcp/2", "mcp/x", "web/", "web/-1"])
        #expect(unknown.sentence.hasSuffix("; it declares: web, mcp (2 replicas), tools"))
    }
}
