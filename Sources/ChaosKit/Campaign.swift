import Glibc

/// Plays stages of one scenario until enough rounds are counted, and says where something was wrong.
package struct Campaign {
    private let say: (String) -> Void
    private let progressEvery: Duration

    /// - Parameter say: takes lines for people, as they come up.
    package init(progressEvery: Duration = .seconds(10), say: @escaping (String) -> Void) {
        self.progressEvery = progressEvery
        self.say = say
    }

    /// The stage with number n has the seed `seed + n`.
    package func run(_ scenario: some Scenario, rounds: Int, seed: UInt64) -> Tally {
        var total = Tally()
        var stage: UInt64 = 0
        let began = ContinuousClock.now
        var nextProgress = began + progressEvery
        while total.rounds < rounds, total.broken < 20 {
            total += play(scenario, limit: rounds - total.rounds, seed: seed &+ stage)
            stage += 1
            if ContinuousClock.now >= nextProgress {
                say(progress(scenario, total, of: rounds, since: began))
                nextProgress = .now + progressEvery
            }
        }
        say(progress(scenario, total, of: rounds, since: began))
        return total
    }

    private func progress(
        _ scenario: some Scenario, _ total: Tally, of rounds: Int, since began: ContinuousClock.Instant
    ) -> String {
        let seconds = Int((ContinuousClock.now - began) / .seconds(1))
        let median = total.time(0.5).map { ", median \(Int($0)) ms" } ?? ""
        let state = total.isFaultless ? "no fault" : "FAULTS, above"
        return "\(scenario.name): \(total.rounds) of \(rounds) in \(seconds) s, \(state)\(median)"
    }

    private func play(_ scenario: some Scenario, limit: Int, seed: UInt64) -> Tally {
        var tally = Tally()
        var isSaid = false
        var timeline: [String] = []
        do {
            try Sandbox.run(programs: scenario.programs ?? Sandbox.builtPrograms) { sandbox in
                let stage = try Stage(sandbox, seed: seed, containment: scenario.containment)
                var failure: (any Error)?
                defer { stage.clear() }
                do { try scenario.play(on: stage, limit: limit) } catch { failure = error }
                tally = stage.tally
                timeline = stage.timeline
                // What no column is for: too late, another process than before.
                if !stage.faults.isEmpty, tally.isFaultless { tally.broken += 1 }
                if failure != nil || !stage.faults.isEmpty { report(stage, scenario, seed, failure) }
                if let failure {
                    isSaid = true
                    _ = try? stage.end(stage.start(["down"], programs: Sandbox.builtPrograms))
                    for process in sandbox.processes { process.kill() }
                    stage.endEveryone()
                    throw failure
                }
            }
        } catch {
            // What the sandbox complains of, nobody else has said.
            if !isSaid {
                say("\(scenario.name), seed \(seed): \("\(error)".prefix(2000))")
                say(timeline.joined(separator: "\n"))
            }
            tally.broken += 1
            tally.rounds = max(tally.rounds, 1)
        }
        return tally
    }

    private func report(_ stage: Stage, _ scenario: some Scenario, _ seed: UInt64, _ failure: (any Error)?) {
        let log = stage.sandbox.stateDirectory.map { File.text("\($0)/supervisor.log") } ?? ""
        if failure != nil {
            for question in ["status", "events"] {
                let said = try? stage.end(stage.start([question], programs: Sandbox.builtPrograms)).everything
                stage.note(said.map { String($0.suffix(20_000)) } ?? "\(question) does not answer")
            }
        }
        // A stage of several rounds draws otherwise when it is to play fewer.
        let rounds = max(1, stage.tally.rounds)
        say(
            """
            FAULT in \(scenario.name), again with: chaos --seed \(seed) --rounds \(rounds) \(scenario.name)
            \(failure.map { "\($0)" } ?? "")
            \(stage.faults.joined(separator: "\n"))
            \(stage.timeline.joined(separator: "\n"))
            \(File.text(stage.sandbox.manifest))
            supervisor.log:
            \(log.suffix(4000))
            """)
    }
}
