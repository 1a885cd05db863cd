/// Manifests of one-process sidecars.
enum BenchManifest {
    /// Nothing but the work itself counts: no delays, healthy at once.
    private static let head = """
        version: 1
        defaults:
          start: { settle: 0s }
          restart: { delay: 0s, jitter: 0, max_attempts: 0 }
        sidecars:

        """

    static func population(_ count: Int, bench: Workbench) -> String {
        head
            + (0..<count).map { index in
                "  s\(index): { command: [\"\(bench.sidecar)\", \"\(bench.channel.path)\", \"\(index)\", hold] }\n"
            }.joined()
    }

    enum Readiness: String, CaseIterable { case log, notify, tcp, http }

    /// Each waits until the one before is healthy.
    static func chain(_ count: Int, by readiness: Readiness, bench: Workbench) -> String {
        head
            + (0..<count).map { index in
                let health =
                    switch readiness {
                    case .log: "{ log: \"^ready\" }"
                    case .notify: "{ notify: true }"
                    case .tcp: "{ tcp: p }"
                    case .http: "{ http: /health }"
                    }
                return sidecar(index, readiness.rawValue, health: health, bench: bench)
                    + (index > 0 ? "    depends_on: { s\(index - 1): healthy }\n" : "")
            }.joined()
    }

    /// Each answers HTTP and is checked once a second.
    static func checked(_ count: Int, bench: Workbench) -> String {
        head
            + (0..<count).map { index in
                sidecar(index, "http", health: "{ http: /health, period: 1s, timeout: 1s }", bench: bench)
            }.joined()
    }

    /// Tasks that write lines and are done.
    static func writers(_ count: Int, bytesEach: Int, bench: Workbench) -> String {
        head
            + (0..<count).map { index in
                """
                  s\(index):
                    kind: task
                    command: ["\(bench.sidecar)", "\(bench.channel.path)", "\(index)", lines, "\(bytesEach)"]
                    restart: never
                    logs: { max_size: 10MiB, max_files: 100 }

                """
            }.joined()
    }

    /// What people write: a port, a dependency, a check, an environment. Never brought up.
    static func large(_ count: Int) -> String {
        "version: 1\nsidecars:\n"
            + (0..<count).map { index in
                """
                  service-\(index):
                    command: [/bin/sleep, "\(1000 + index)"]
                    env: { LOG_LEVEL: info, INDEX: "\(index)" }
                    ports: { http: auto }
                    health: { http: { path: /health }, period: 5s }
                    stop: { grace: 5s }

                """ + (index >= 10 ? "    depends_on: [service-\(index - 10)]\n" : "")
            }.joined()
    }

    private static func sidecar(_ index: Int, _ mode: String, health: String, bench: Workbench) -> String {
        let listens = mode == "tcp" || mode == "http"
        let port = listens ? ", \"${ports.p}\"" : ""
        return """
              s\(index):
                command: ["\(bench.sidecar)", "\(bench.channel.path)", "\(index)", \(mode)\(port)]
                health: \(health)

            """ + (listens ? "    ports: { p: auto }\n" : "")
    }
}
