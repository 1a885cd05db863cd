/// A project under load: writers whose logs rotate, lives that end by themselves with known codes and are started again,
/// checks, descendants in sessions of their own, a task.
struct Load {
    /// Those that run until they are stopped: sidecar and replica.
    static let steady = ["writer.0", "writer.1", "probed.0", "executed.0", "parent.0"]

    /// The sidecars that are no tasks and in every load.
    static let names = ["writer", "probed", "executed", "parent"]

    let stage: Stage
    var onExit = "keep"
    /// Sidecars that end by themselves too.
    var withEnding = true
    /// Further sidecars.
    var others = ""

    static let grace = 400

    /// Something that an operator does while something else happens. `up` is to set all right after it.
    static func aCommand(by chance: inout Chance) -> [String] {
        chance.one(of: [
            ["restart", "writer"], ["restart", "brief", "longer"], ["restart"] + names, ["stop", "probed"],
            ["stop", "writer", "--cascade"], ["up", "-d"],
        ])
    }

    func declare() throws {
        try stage.sandbox.declare(
            """
            \(sidecar("writer", "period=1", "replicas: 2", "logs: { max_size: 16KiB, max_files: 1000 }"))
            \(sidecar("probed", "period=20\", \"port=${ports.http}\", \"serve=1", "ports: { http: auto }", Self.check("tcp: http")))
            \(sidecar("executed", "period=20", Self.check("exec: [/bin/true]")))
            \(sidecar("parent", "period=20\", \"children=2\", \"hidden=1", "depends_on: [writer]"))
            \(withEnding ? ending : "")
            \(others)
            """, top: "supervisor: { on_exit: \(onExit) }")
    }

    private var ending: String {
        """
        \(sidecar("brief", "period=5\", \"end=40\", \"code=7"))
        \(sidecar("longer", "period=2\", \"end=230\", \"code=42"))
        \(sidecar("task", "period=5\", \"end=30", "kind: task"))
        """
    }

    private static func check(_ probe: String) -> String {
        "health: { readiness: { \(probe), period: 50ms }, liveness: { \(probe), period: 50ms } }"
    }

    private func sidecar(_ name: String, _ options: String, _ lines: String...) -> String {
        let evidence = stage.evidence
        let all = [
            "\(name):",
            "  command: [\(evidence.program), \(evidence.directory), \"\(name).${replica}\", \"\(options)\"]",
            "  stop: { grace: \(Self.grace)ms }",
        ]
        let restart =
            lines.contains("kind: task") ? [] : ["  restart: { delay: 50ms, factor: 1, jitter: 0, max_attempts: 0 }"]
        return (all + restart + lines.map { "  \($0)" }).map { "  \($0)" }.joined(separator: "\n")
    }

    /// The one leader of each that lives on; nil when one is missing or there are two.
    var leaders: [String: ChaosEvidence.Life]? {
        var found: [String: ChaosEvidence.Life] = [:]
        for life in stage.evidence.leaders where Self.steady.contains(life.instance) {
            guard found.updateValue(life, forKey: life.instance) == nil else { return nil }
        }
        return found.count == Self.steady.count ? found : nil
    }

    /// Waits until each steady one has its leader.
    func awaitLeaders() throws -> [String: ChaosEvidence.Life] {
        var found: [String: ChaosEvidence.Life]?
        let isThere = stage.within(seconds: stage.patience / 2) {
            found = leaders
            return found != nil
        }
        guard isThere, let found else {
            throw HarnessError("not each of \(Self.steady) has one leader: \(stage.evidence.leaders)")
        }
        return found
    }

    /// Each steady one has the leader it had: whatever was lost, none was started a second time.
    func expectSame(as before: [String: ChaosEvidence.Life]) throws {
        let after = try awaitLeaders()
        guard after.identities != before.identities else { return }
        stage.tally.duplicates += 1
        stage.fault("other leaders than before: \(before.identities) \(after.identities)")
    }
}

extension [String: ChaosEvidence.Life] {
    /// By sidecar and replica, who it is.
    var identities: [String: String] { mapValues(\.id) }
}
