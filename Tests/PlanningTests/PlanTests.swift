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
}
