import Glibc

/// `kill -9` of the supervisor under load, at any instant, and again in the middle of a command in every other stage.
/// A project for each: a keeper waits before it starts a supervisor that died twice within a minute.
package struct SupervisorLoss: Scenario {
    package let name = "supervisor"
    package let timed = "back in control"
    package let fullCount = 1000

    package init() {}

    package func play(on stage: Stage, limit: Int) throws {
        let load = Load(stage: stage)
        try load.declare()
        try stage.succeed("up", "-d")
        let before = try load.awaitLeaders()
        let command = try stage.chance.isHeads() ? stage.start(Load.aCommand(by: &stage.chance)) : nil
        stage.pause(below: command == nil ? 250 : 60)
        guard let supervisor = stage.sandbox.supervisor, let question = ControlQuestion(of: stage.sandbox) else {
            throw HarnessError("there is no supervisor")
        }
        let killed = ContinuousClock.now
        stage.strike(SIGKILL, [supervisor], "the supervisor")
        stage.tally.rounds += 1
        guard let time = question.answered(byOtherThan: [supervisor.pid], since: killed) else {
            throw HarnessError("no other supervisor answers")
        }
        stage.note("back after \(time) ms")
        stage.tally.times.append(time)
        if let command {
            try stage.end(command)
        } else {
            try load.expectSame(as: before)
        }
        stage.pause(below: 100)
        try stage.succeed("up", "-d")
        _ = try load.awaitLeaders()
        try stage.bringDown()
        try stage.prove()
    }
}
