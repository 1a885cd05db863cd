import DiagnosticRendering
import Planning
import SidecarModel
import Testing

@Suite struct PlanRenderingTests {
    private func plan() throws -> Plan {
        let db = SidecarSpec(name: "db", kind: .external)
        let migrate = spec("migrate", .task, after: [("db", .healthy)])
        var api = spec("api", .service, after: [("migrate", .succeeded), ("db", .healthy)])
        api.replicas = 2
        api.dependencies[1].required = false
        api.ports = [PortSpec(name: "http", wanted: .range(8080, 8090))]
        return try Plan(project: ProjectSpec(name: "shop", directory: "/app"), sidecars: [db, migrate, api])
    }

    private func spec(
        _ name: String, _ kind: SidecarSpec.Kind, after: [(String, DependencySpec.Condition)]
    ) -> SidecarSpec {
        var spec = SidecarSpec(name: name, kind: kind)
        spec.dependencies = after.map { DependencySpec(sidecar: $0.0, condition: $0.1) }
        return spec
    }

    @Test func `the text shows waves and what each waits for`() throws {
        #expect(
            planText(try plan()) == """
                project shop: 3 sidecars in 3 waves

                wave 1
                  db  external

                wave 2
                  migrate  task  after db healthy

                wave 3
                  api  service × 2  after migrate succeeded, db healthy (order only)

                """)
    }

    @Test func `the graph for Graphviz`() throws {
        #expect(
            planDOT(try plan()) == """
                digraph "shop" {
                  rankdir=LR;
                  node [shape=box];
                  "db" [shape=cylinder];
                  "migrate" [shape=ellipse];
                  "api" [shape=box, label="api × 2"];
                  "db" -> "migrate" [label="healthy"];
                  "migrate" -> "api" [label="succeeded"];
                  "db" -> "api" [label="healthy", style=dashed];
                }

                """)
    }

    @Test func `the graph for Mermaid`() throws {
        #expect(
            planMermaid(try plan()) == """
                flowchart LR
                  s0[("db")]
                  s1(["migrate"])
                  s2["api × 2"]
                  s0 -->|healthy| s1
                  s1 -->|succeeded| s2
                  s0 -.->|healthy| s2

                """)
    }

    @Test func `json names sidecars, waves and edges`() throws {
        let text = planJSON(try plan())
        #expect(text.hasPrefix("{\n  \"project\": \"shop\",\n  \"directory\": \"/app\",\n  \"sidecars\": ["))
        #expect(text.contains("\"port\": \"8080-8090\""))
        #expect(text.contains("\"required\": false"))
        #expect(text.contains("\"wave\": 3"))
    }

    @Test func `a difference says who is touched and by which keys`() throws {
        func sidecar(_ name: String, _ parts: [(String, UInt64, ChangeEffect)], replicas: Int = 1) -> SidecarSpec {
            var spec = SidecarSpec(name: name)
            spec.replicas = replicas
            spec.fingerprints = parts.map { KeyFingerprint(key: $0.0, value: $0.1, onChange: $0.2) }
            return spec
        }
        let project = ProjectSpec(name: "shop", directory: "/app")
        let old = try Plan(
            project: project,
            sidecars: [
                sidecar("same", []), sidecar("moved", [("env", 1, .restart)]), sidecar("gone", []),
                sidecar("tuned", [("stop", 1, .inPlace)]), sidecar("wide", []),
            ])
        let new = try Plan(
            project: project,
            sidecars: [
                sidecar("same", []), sidecar("moved", [("env", 2, .restart)]),
                sidecar("tuned", [("stop", 2, .inPlace)]),
                sidecar("wide", [], replicas: 3), sidecar("fresh", []),
            ])
        let difference = PlanDifference(from: old, to: new)
        #expect(
            differenceText(difference) == """
                ~ moved  restart: env changed
                ~ tuned  update without a restart: stop changed
                ~ wide   scale from 1 to 3
                + fresh  start
                - gone   stop and remove

                1 to start, 1 to restart, 2 to update, 1 to remove, 1 unchanged

                """)
        #expect(differenceText(PlanDifference(from: new, to: new)) == "nothing to change\n")
        #expect(differenceJSON(difference).contains("\"action\": \"scale\",\n      \"from\": 1,\n      \"to\": 3"))
    }
}
