import Glibc

/// Stops of trees that do all they can to live on.
package struct TreeStops: Scenario {
    /// As `docs/explanation/containment.md` has them: cgroups, the keeper, the mark alone.
    package enum Level: String { case a, b, c }

    private let level: Level

    package init(_ level: Level) { self.level = level }

    package var name: String { "trees-\(level.rawValue)" }
    package let timed = "down"
    package let fullCount = 1000
    package var containment: String? { level == .a ? "best" : "session" }

    /// What each does, and how many processes it is at least.
    private static let trees: [(options: String, least: Int)] = [
        ("plain=3", 4),
        ("children=3", 4),
        ("children=2 stubborn=1", 3),
        ("children=2 hidden=1", 3),
        ("children=2 plain=1 cleared=1", 4),
        ("children=1 plain=1 stopped=1", 3),
        ("deaf=1 plain=2 stubborn=1", 3),
        ("deaf=1 children=2 cleared=1 stubborn=1 stopped=1", 3),
        ("bomb=600", 8),
        ("bomb=600 stubborn=1", 8),
    ]

    package func play(on stage: Stage, limit: Int) throws {
        try stage.sandbox.declare(Self.trees.indices.map { sidecar($0, stage) }.joined(separator: "\n"))
        try stage.succeed("up", "-d")
        try awaitTrees(stage)
        if level == .c { try loseKeeper(stage) }
        switch stage.chance.next(below: 3) {
        case 0:
            for index in Self.trees.indices { try stage.succeed("stop", "t\(index)") }
            stage.countLeft("after the stops")
            stage.tally.rounds += Self.trees.count
        case 1:
            try stage.succeed(["restart"] + Self.trees.indices.map { "t\($0)" })
            try awaitTrees(stage)
            stage.tally.rounds += 2 * Self.trees.count
        default: stage.tally.rounds += Self.trees.count
        }
        let began = ContinuousClock.now
        try stage.bringDown()
        stage.tally.times.append((ContinuousClock.now - began) / .milliseconds(1))
        try stage.prove()
    }

    private func sidecar(_ index: Int, _ stage: Stage) -> String {
        let options = Self.trees[index].options.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ", ")
        let evidence = stage.evidence
        var lines = [
            "  t\(index):",
            "    command: [\(evidence.program), \(evidence.directory), \"t\(index).0\", \"period=50\", \(options)]",
            "    stop: { grace: 300ms }",
            "    restart: { delay: 50ms, jitter: 0, max_attempts: 0 }",
        ]
        if options.contains("bomb"), getuid() == 0 {
            // A user of its own: the limit counts all processes of that user.
            let user = 700_000 + Int(getpid()) % 10_000 * 10 + index
            lines += ["    user: \"\(user)\"", "    group: \"\(user)\"", "    ulimits: { nproc: 40 }"]
        }
        return lines.joined(separator: "\n")
    }

    private func awaitTrees(_ stage: Stage) throws {
        var counts: [String: Int] = [:]
        let areThere = stage.within(seconds: 20) {
            counts = Dictionary(grouping: stage.evidence.everyone) { $0.arguments.count > 2 ? $0.arguments[2] : "" }
                .mapValues(\.count)
            return Self.trees.indices.allSatisfy { counts["t\($0).0", default: 0] >= Self.trees[$0].least }
        }
        guard areThere else { throw HarnessError("the trees have not grown: \(counts)") }
    }

    private func loseKeeper(_ stage: Stage) throws {
        guard let keeper = stage.sandbox.keeper, let supervisor = stage.sandbox.supervisor,
            let question = ControlQuestion(of: stage.sandbox)
        else { throw HarnessError("there is no keeper") }
        stage.keeperWasLost = true
        stage.strike(SIGKILL, [keeper], "the keeper")
        // The supervisor becomes the keeper, and another is the supervisor.
        guard question.answered(byOtherThan: [supervisor.pid], since: .now) != nil else {
            throw HarnessError("no supervisor answers after the loss of the keeper")
        }
    }
}
