import Glibc

/// An upgrade from programs that keep their journal in an earlier form, and the way back, which is refused.
package struct FormatChanges: Scenario {
    package let name = "format"
    package let timed = "upgrade"
    package let fullCount = 100
    /// Where the earlier programs are.
    package let programs: String?

    package init(from earlier: String) { programs = earlier }

    package func play(on stage: Stage, limit: Int) throws {
        let sandbox = stage.sandbox
        let load = Load(stage: stage, onExit: stage.chance.isHeads() ? "keep" : "stop")
        try load.declare()
        try stage.succeed("up", "-d")
        let before = try load.awaitLeaders()
        let events = try sandbox.succeed("events").split(separator: "\n").count
        stage.pause(below: 300)
        let began = ContinuousClock.now
        try stage.succeed("upgrade", "-f", sandbox.manifest, programs: Sandbox.builtPrograms)
        stage.tally.times.append((ContinuousClock.now - began) / .milliseconds(1))
        stage.tally.rounds += 1
        if sandbox.supervisor?.file != "\(Sandbox.builtPrograms)/orchestrate" { stage.fault("not upgraded") }
        try load.expectSame(as: before)
        try goBack(stage, load)
        // The state is kept over a loss in the new form too.
        stage.strike(SIGKILL, [sandbox.supervisor], "the supervisor")
        let later = try stage.end(stage.start(["events"], programs: Sandbox.builtPrograms))
        if later.output.split(separator: "\n").count < events { stage.fault("events of before are missing") }
        try stage.succeed("up", "-d", programs: Sandbox.builtPrograms)
        _ = try load.awaitLeaders()
        try stage.bringDown(by: Sandbox.builtPrograms)
        try stage.prove(programs: Sandbox.builtPrograms)
    }

    private func goBack(_ stage: Stage, _ load: Load) throws {
        let supervisor = stage.sandbox.supervisor
        let leaders = try load.awaitLeaders().identities
        let refused = try stage.end(stage.start(["upgrade", "-f", stage.sandbox.manifest]))
        if refused.status == 0 { stage.fault("the way back was taken") }
        let said = refused.errors.trimmed
        if said.isEmpty || !said.contains("down") { stage.fault("refused without a way out: \(said)") }
        if stage.sandbox.supervisor != supervisor { stage.fault("a refused way back replaced the supervisor") }
        if try load.awaitLeaders().identities != leaders { stage.fault("a refused way back changed sidecars") }
    }
}

extension String {
    fileprivate var trimmed: Substring { self[...].drop { $0.isWhitespace } }
}
