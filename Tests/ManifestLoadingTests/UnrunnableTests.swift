import ManifestLoading
import SidecarModel
import Testing

/// Manifests that say something, and something that can never be.
@Suite struct UnrunnableTests {
    @Test(arguments: [
        ("command: \"${X:-}\"", "command-empty"), ("command: [\"${X:-}\", a]", "command-empty"),
        ("command: \"'' a\"", "command-empty"), ("command: \"${X}\"", "undefined-variable"),
        ("command: [\"${X}\"]", "undefined-variable"),
        ("command: w, ports: { a: 80-81, b: 80-81, c: 80-81 }", "port-ranges-too-full"),
        ("command: w, ports: { a: 80-81, b: 80, c: 81 }", "port-ranges-too-full"),
        ("command: w, replicas: 2, ports: { a: 80-82, b: 80-82 }", "port-range-too-small"),
        ("command: w, ports: { a: { port: auto, env: PATH } }", "port-variable-clash"),
        ("command: w, ports: { a: { port: auto, env: LD_PRELOAD }, b: 90 }", "port-variable-clash"),
        ("command: w, health: { tcp: { port: 80, host: \"\" } }", "invalid-host"),
        ("command: w, health: { http: { port: 80, host: \"a b\" } }", "invalid-host"),
        ("command: w, health: { http: { port: 80, host: \"http://a\" } }", "invalid-host"),
        ("command: w, logs: { dir: \"\" }", "missing-value"),
    ])
    func `what could never run is an error, once`(body: String, rule: String) {
        #expect(load("sidecars: { w: { \(body) } }").diagnostics.map(\.rule) == [rule])
    }

    @Test(arguments: [
        "ports: { a: 80-81, b: 80-81 }", "ports: { a: 80-81, b: 80-81, c: { port: 80-81, protocol: udp } }",
        "replicas: 2, ports: { a: 80-83, b: 80-83 }", "ports: { a: 80-82, b: 80, c: 81 }",
        "ports: { a: { port: auto, env: LISTEN } }", "health: { tcp: { port: 80, host: \"::1\" } }",
    ])
    func `what can just run is none`(body: String) {
        #expect(load("sidecars: { w: { command: w, \(body) } }").report == [])
    }

    @Test(arguments: [("1us", false), ("0.0001ms", false), ("9.9ms", false), ("0", false), ("10ms", true)])
    func `a probe leaves time between two checks`(period: String, isTaken: Bool) {
        let loaded = load("sidecars: { w: { command: w, health: { tcp: 80, period: \(period) } } }")
        #expect(loaded.diagnostics.map(\.rule) == (isTaken ? [] : ["out-of-range"]), "\(loaded.report)")
    }

    @Test(arguments: [
        "depends_on: [null]", "depends_on: [~]", "env_file: [null]", "restart: { success_codes: [1, null] }",
    ])
    func `an entry that is nothing is not the text null`(body: String) {
        let loaded = load("sidecars: { w: { command: w, \(body) } }")
        #expect(loaded.diagnostics.map(\.rule) == ["missing-value"], "\(loaded.report)")
    }
}
