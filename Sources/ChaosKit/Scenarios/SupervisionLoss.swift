import Glibc

/// `kill -9` of keeper and supervisor at one instant, or of the guard too.
package struct SupervisionLoss: Scenario {
    package enum Kind { case stop, keep, all }

    private let kind: Kind

    package init(_ kind: Kind) { self.kind = kind }

    package var name: String {
        switch kind {
        case .stop: "keeper-and-supervisor-stop"
        case .keep: "keeper-and-supervisor-keep"
        case .all: "all-three"
        }
    }

    package var timed: String {
        switch kind {
        case .stop: "all empty"
        case .keep: "the next up has adopted all"
        case .all: "all ended by the next command"
        }
    }

    package var fullCount: Int { kind == .all ? 100 : 300 }

    /// The grace that the sidecars have, and a second.
    private static let allowed = Double(Load.grace + 1000)

    package func play(on stage: Stage, limit: Int) throws {
        // What was unread of one that ended meanwhile is nobody's any more: with `keep` nothing ends by itself.
        let load = Load(stage: stage, onExit: kind == .keep ? "keep" : "stop", withEnding: kind != .keep)
        try load.declare()
        try stage.succeed("up", "-d")
        let before = try load.awaitLeaders()
        stage.pause(below: 200)
        let sandbox = stage.sandbox
        let killed = stage.strikeAtOnce(
            [sandbox.keeper, sandbox.supervisor] + (kind == .all ? [sandbox.guardian] : []), "\(kind)")
        stage.tally.rounds += 1
        switch kind {
        case .stop:
            let isEmpty = stage.within(seconds: 10) { stage.evidence.everyone.isEmpty }
            count(killed, stage, isEmpty ? "all empty" : "not all empty")
            stage.countLeft("after the guard")
        case .keep: try adopt(load, before, killed)
        case .all: try stage.chance.isHeads() ? beginAnew(load, before, killed) : endAll(stage, killed)
        }
        try stage.bringDown()
        try stage.prove(linesMayBeLost: kind != .keep)
    }

    private func count(_ start: ContinuousClock.Instant, _ stage: Stage, _ what: String) {
        let time = (ContinuousClock.now - start) / .milliseconds(1)
        stage.tally.times.append(time)
        stage.note("\(what) after \(time) ms")
        if kind != .keep, time > Self.allowed {
            stage.fault("\(what) after \(Int(time)) ms, more than \(Self.allowed)")
        }
    }

    private func adopt(
        _ load: Load, _ before: [String: ChaosEvidence.Life], _ killed: ContinuousClock.Instant
    ) throws {
        try load.stage.succeed("up", "-d")
        count(killed, load.stage, "adopted")
        try load.expectSame(as: before)
    }

    private func beginAnew(
        _ load: Load, _ before: [String: ChaosEvidence.Life], _ killed: ContinuousClock.Instant
    ) throws {
        let stage = load.stage
        let up = try stage.start(["up", "-d"])
        let areEnded = stage.within(seconds: 20) { !before.values.contains(where: \.isAlive) }
        count(killed, stage, areEnded ? "those of before ended" : "those of before live on")
        if !areEnded { stage.fault("one of before lives on") }
        try stage.end(up)
        _ = try load.awaitLeaders()
    }

    private func endAll(_ stage: Stage, _ killed: ContinuousClock.Instant) throws {
        let down = try stage.start(["down"])
        let areEnded = stage.within(seconds: 20) { stage.evidence.everyone.isEmpty }
        count(killed, stage, areEnded ? "all ended" : "not all ended")
        try stage.end(down)
        stage.countLeft("after down")
    }
}
