import Glibc

/// `kill -9` of any part while the disk that holds the state stalls, in the middle of a command in every other round.
package struct SlowDiskKills: Scenario {
    package let name = "slow-disk"
    package let timed = "back in control"
    package let fullCount = 300
    package var obstacle: String? { SlowDisk.obstacle }

    private enum Victim { case supervisor, keeper, guardian, sidecar, supervision }

    /// Five deaths within a minute are something else.
    private static let perStage = 3

    /// Many short waits, some that one notices, a few long ones.
    private static let paces = [
        SlowDisk.Pace(share: 300, longest: 40), SlowDisk.Pace(share: 60, longest: 300),
        SlowDisk.Pace(share: 20, longest: 2000),
    ]

    /// Where every write waits for a handful of requests, they are fewer.
    private static let synchronousPaces = [
        SlowDisk.Pace(share: 60, longest: 40), SlowDisk.Pace(share: 8, longest: 300),
        SlowDisk.Pace(share: 2, longest: 2000),
    ]

    package init() {}

    package func play(on stage: Stage, limit: Int) throws {
        let isSynchronous = stage.chance.next(below: 4) > 0
        let disk = try SlowDisk(at: "\(stage.sandbox.directory)/state", isSynchronous: isSynchronous)
        stage.finally { disk.end() }
        let pace = stage.chance.one(of: isSynchronous ? Self.synchronousPaces : Self.paces)
        stage.note(
            "of a thousand requests \(pace.share) wait, \(pace.longest) ms at most, \(isSynchronous ? "each" : "some") write"
        )
        stage.patience = 120
        disk.set(pace)
        let load = Load(stage: stage, onExit: stage.chance.isHeads() ? "keep" : "stop")
        try load.declare()
        try stage.succeed("up", "-d")
        for _ in 0..<min(limit, Self.perStage) {
            try strike(load)
            stage.tally.rounds += 1
        }
        disk.set(.fast)
        if disk.waits.count == 0 { stage.fault("the disk never stalled") }
        stage.note("\(disk.waits.count) waits, \(disk.waits.milliseconds) ms")
        stage.tally.waits += disk.waits.count
        stage.tally.waited += disk.waits.milliseconds
        try stage.bringDown()
        try stage.prove()
    }

    private func strike(_ load: Load) throws {
        let stage = load.stage
        let before = try load.awaitLeaders()
        let command = try stage.chance.isHeads() ? stage.start(Load.aCommand(by: &stage.chance)) : nil
        stage.pause(below: 400)
        let victim = stage.chance.one(of: [
            Victim.supervisor, .supervisor, .supervisor, .keeper, .guardian, .sidecar, .supervision,
        ])
        try strike(victim, load, isCommanded: command != nil)
        if let command { try stage.end(command) }
        try stage.succeed("up", "-d")
        let areSame = victim != .sidecar && (victim != .supervision || load.onExit == "keep")
        if command == nil, areSame { try load.expectSame(as: before) } else { _ = try load.awaitLeaders() }
    }

    private func strike(_ victim: Victim, _ load: Load, isCommanded: Bool) throws {
        let stage = load.stage
        let sandbox = stage.sandbox
        switch victim {
        case .supervisor: try strike(sandbox.supervisor, "the supervisor", stage)
        case .keeper:
            stage.keeperWasLost = true
            try strike(sandbox.keeper, "the keeper", stage)
        case .guardian: stage.strike(SIGKILL, [sandbox.guardian], "the guard")
        case .sidecar: if let life = stage.anyone(of: stage.evidence.lives) { stage.kill(leader: life) }
        case .supervision:
            stage.strikeAtOnce([sandbox.keeper, sandbox.supervisor], "keeper and supervisor")
            // A command that was under way may begin anew.
            guard load.onExit == "stop", !isCommanded else { return }
            let isEmpty = stage.within(seconds: stage.patience / 2) { stage.evidence.everyone.isEmpty }
            if !isEmpty { stage.countLeft("after the guard") }
        }
    }

    /// Where the keeper is lost, the supervisor becomes the keeper, and another is the supervisor.
    private func strike(_ victim: SeenProcess?, _ what: String, _ stage: Stage) throws {
        let supervisor = stage.sandbox.supervisor
        guard let victim, let question = ControlQuestion(of: stage.sandbox) else {
            return stage.note("\(what) is not there")
        }
        let killed = ContinuousClock.now
        stage.strike(oneOfTwo: victim, what)
        let old = Set([supervisor?.pid, victim.pid].compactMap(\.self))
        guard let time = question.answered(byOtherThan: old, since: killed, within: stage.patience / 2) else {
            throw HarnessError("no supervisor answers after the loss of \(what)")
        }
        stage.allIsBack()
        stage.note("back after \(time) ms")
        stage.tally.times.append(time)
    }
}
