import Glibc

/// A manifest, an operator and faults by chance: everything at any time. With clients: and they come and go.
package struct Storm: Scenario {
    package enum Kind { case alone, withClients }

    private let kind: Kind
    package var name: String { kind == .alone ? "storm" : "per-client" }
    package var timed: String { kind == .alone ? "" : "nothing of a client that left" }
    package let fullCount = 100

    package init(_ kind: Kind) { self.kind = kind }

    package func play(on stage: Stage, limit: Int) throws {
        try StormRound(stage, hasClients: kind == .withClients).play()
        stage.tally.rounds += 1
    }
}

private final class StormRound {
    private let stage: Stage
    private var manifest: StormManifest
    /// Nil: there are none.
    private let clients: StormClients?

    private var sandbox: Sandbox { stage.sandbox }

    init(_ stage: Stage, hasClients: Bool) {
        self.stage = stage
        clients = hasClients ? StormClients(stage) : nil
        manifest = StormManifest(
            program: stage.evidence.program, directory: stage.evidence.directory, hasClients: hasClients,
            by: &stage.chance)
    }

    func play() throws {
        stage.note(manifest.top)
        try declare()
        try act(["up", "-d", "--timeout", "20s"])
        for _ in 0..<3 + stage.chance.next(below: 5) {
            try clients?.act(at: manifest.doors)
            try act(nextCommand())
            if stage.chance.next(below: 3) == 0 {
                stage.pause(below: 200)
                fault()
            }
        }
        try settle()
        try clients?.leaveOneAfterTheOther()
        if stage.chance.next(below: 3) == 0 { try act(["down"]) }
        try stage.bringDown()
        clients?.expectAllOver()
        try stage.prove()
    }

    private func declare() throws { try sandbox.declare(manifest.text, top: manifest.top) }

    private func nextCommand() throws -> [String] {
        let name = stage.chance.one(of: manifest.sidecars).name
        switch stage.chance.next(below: 8) {
        case 0: return ["restart", name]
        case 1: return ["restart"] + manifest.sidecars.map(\.name)
        case 2: return ["stop", name, stage.chance.isHeads() ? "--force" : "--cascade"]
        case 3: return ["start", name]
        case 4: return ["down"]
        case 5: return ["up", "-d", "--timeout", "20s"]
        default:
            stage.note(manifest.edit(by: &stage.chance))
            try declare()
            return ["up", "-d", "--timeout", "20s"]
        }
    }

    /// Runs a command, most of the time with something that happens in the middle of it.
    private func act(_ arguments: [String]) throws {
        let command = try stage.start(arguments)
        if stage.chance.next(below: 5) < 3 {
            stage.pause(below: 250)
            if stage.chance.next(below: 6) == 0 {
                stage.note("kill the client")
                command.signal(SIGKILL)
            } else {
                fault()
            }
        }
        try clients?.act(at: manifest.doors)
        try stage.end(command)
    }

    // MARK: Faults

    private func fault() {
        let supervision = [sandbox.keeper, sandbox.supervisor, sandbox.guardian]
        let evidence = stage.evidence
        switch stage.chance.next(below: 12) {
        case 0, 1, 2: stage.strike(oneOfTwo: sandbox.supervisor, "the supervisor")
        case 3:
            stage.keeperWasLost = true
            stage.strike(oneOfTwo: sandbox.keeper, "the keeper")
        case 4: stage.strike(SIGKILL, [sandbox.guardian], "the guard")
        case 5:
            stage.strikeAtOnce(Array(supervision.prefix(2)), "keeper and supervisor")
            clients?.loseTheirKeeping()
        case 6:
            stage.strikeAtOnce(supervision, "all three")
            clients?.loseTheirKeeping()
        case 7, 8: if let life = stage.anyone(of: evidence.lives) { stage.kill(leader: life) }
        case 9: stage.strike(SIGKILL, [stage.anyone(of: evidence.descendants)?.process], "a descendant")
        case 10: freeze(stage.anyone(of: evidence.lives)?.process, "a sidecar")
        default: freeze(stage.chance.isHeads() ? sandbox.supervisor : sandbox.keeper, "supervisor or keeper")
        }
    }

    private func freeze(_ target: SeenProcess?, _ what: String) {
        stage.strike(SIGSTOP, [target], what)
        stage.pause(below: 400)
        target?.signal(SIGCONT)
        stage.note("SIGCONT")
    }

    // MARK: The end

    /// Faults off: all that is wanted becomes healthy, or says why not, and runs exactly once.
    private func settle() throws {
        try stage.end(stage.start(["up", "-d", "--timeout", "30s"]))
        var fault: String?
        let isSettled = try Deadline(seconds: 20).comes(every: 50) {
            fault = try unsettled()
            return fault == nil
        }
        guard isSettled else { throw HarnessError("does not settle: \(fault ?? "")") }
        stage.note("settled")
    }

    /// What is not as it is to be in the end.
    private func unsettled() throws -> String? {
        let status = try sandbox.orchestrate("status")
        guard status.status == 0 || status.status == 1 else { return "status: \(status.everything)" }
        let rows = status.output.split(separator: "\n").map { $0.split(separator: " ") }
        let alive = Dictionary(grouping: stage.evidence.leaders, by: \.instance)
        for sidecar in manifest.sidecars {
            for replica in 0..<sidecar.replicas {
                let shown = sidecar.replicas == 1 ? sidecar.name : "\(sidecar.name)/\(replica)"
                guard let row = rows.first(where: { $0.first.map(String.init) == shown }), row.count > 3 else {
                    return "\(shown) is not shown:\n\(status.output)"
                }
                let living = alive["\(sidecar.name).\(replica)"] ?? []
                if sidecar.servesClients {
                    if let wrong = clients?.wrong(of: sidecar.name, row[1], living) { return wrong }
                    continue
                }
                switch row[1] {
                case "healthy":
                    guard living.count == 1, String(living[0].pid) == row[3] else {
                        return "\(shown) is healthy as \(row[3]), and there live \(living)"
                    }
                case "completed", "failed", "blocked":
                    guard living.isEmpty else { return "\(shown) is \(row[1]), and there live \(living)" }
                default: return "\(shown) is \(row[1]):\n\(status.output)"
                }
            }
        }
        return nil
    }
}
