import Glibc

/// `kill -9` of one part at an instant by chance, while the project comes up, writes and rotates its logs, is restarted,
/// and goes down.
package struct Moments: Scenario {
    package enum Victim: String { case client, sidecar, supervisor }

    private enum Phase: CaseIterable { case up, rotation, restart, down }

    private let victim: Victim

    package init(of victim: Victim) { self.victim = victim }

    package var name: String { "moments-\(victim.rawValue)" }
    package var timed: String { victim == .client ? "all empty" : "" }
    /// A hundred in each phase.
    package let fullCount = 400

    package func play(on stage: Stage, limit: Int) throws {
        let load = Load(stage: stage)
        try load.declare()
        if victim == .client {
            try killClient(in: stage.chance.one(of: Phase.allCases), load)
        } else {
            for phase in Phase.allCases {
                try strike(in: phase, load)
                stage.tally.rounds += 1
            }
        }
        try stage.bringDown()
        try stage.prove()
    }

    // MARK: A client that holds the project

    private func killClient(in phase: Phase, _ load: Load) throws {
        let stage = load.stage
        let client = try stage.start(["up"])
        var other: Program?
        if phase != .up {
            _ = try load.awaitLeaders()
            switch phase {
            case .up, .rotation: break
            case .restart: other = try stage.start(["restart"] + Load.names)
            case .down: other = try stage.start(["down"])
            }
        }
        stage.pause(below: 250)
        stage.note("kill the client while \(phase)")
        let killed = ContinuousClock.now
        client.signal(SIGKILL)
        stage.tally.strikes += 1
        stage.tally.rounds += 1
        let isEmpty = stage.within(seconds: 20) { stage.evidence.everyone.isEmpty }
        stage.tally.times.append((ContinuousClock.now - killed) / .milliseconds(1))
        if !isEmpty { stage.countLeft("after the client was killed while \(phase)") }
        _ = try client.end()
        if let other { try stage.end(other) }
        let isGone = stage.within(seconds: 20) { stage.sandbox.processes.isEmpty }
        // One that came too late to see the lease taken may have begun again.
        if !isGone || !stage.evidence.everyone.isEmpty { stage.fault("something runs without its client: \(phase)") }
    }

    // MARK: What is supervised, and what supervises

    private func strike(in phase: Phase, _ load: Load) throws {
        let stage = load.stage
        stage.note("\(phase)")
        switch phase {
        case .up: try strike(during: ["up", "-d"], below: 150, load)
        case .rotation:
            stage.pause(below: 200)
            strikeNow(stage)
        case .restart: try strike(during: ["restart"] + Load.names, below: 400, load)
        case .down:
            try strike(during: ["down"], below: 150, load)
            return
        }
        try stage.succeed("up", "-d")
        _ = try load.awaitLeaders()
    }

    private func strike(during command: [String], below milliseconds: Int, _ load: Load) throws {
        let command = try load.stage.start(command)
        load.stage.pause(below: milliseconds)
        strikeNow(load.stage)
        try load.stage.end(command)
    }

    private func strikeNow(_ stage: Stage) {
        switch victim {
        case .supervisor, .client: stage.strike(SIGKILL, [stage.sandbox.supervisor], "the supervisor")
        case .sidecar: if let life = stage.anyone(of: stage.evidence.lives) { stage.kill(leader: life) }
        }
    }
}
