import ManifestLoading
import Testing

struct PortRuleTests {
    @Test(arguments: [
        "a: { kind: external, ports: { http: 80 }, health: { tcp: 80 } }\n  b: { kind: external, ports: { http: 80 }, health: { tcp: 80 } }",
        "a: { command: x, ports: { http: 8080 } }\n  b: { command: x, replicas: 0, ports: { http: 8080 } }",
        "a: { command: x, ports: { http: { port: 8080, strict: false } } }\n  b: { command: x, ports: { http: { port: 8080, strict: false } } }",
    ])
    func `a number that two name and only one can want at a time is used once`(sidecars: String) {
        let loaded = load("version: 1\nsidecars:\n  \(sidecars)\n")
        #expect(!loaded.report.contains { $0.contains("is also that of") }, "\(loaded.report)")
    }
}
