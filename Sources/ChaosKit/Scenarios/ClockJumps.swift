import Glibc

/// The wall clock jumps by seconds to weeks, there and back, while all goes on: nothing happens earlier, later, again or
/// not at all because of it.
package struct ClockJumps: Scenario {
    package let name = "clock"
    package let timed = "a stop with a grace of 400 ms"
    package let fullCount = 400
    package var obstacle: String? { ShiftedClock.obstacle }

    private static let perStage = 20
    private static let hour = 3600
    /// Seconds.
    private static let jumps = [
        1, -1, 59, -59, hour, -hour, 7 * hour, -7 * hour, 24 * hour, -24 * hour, 720 * hour, -720 * hour,
    ]

    package init() {}

    package func play(on stage: Stage, limit: Int) throws {
        let clock = try ShiftedClock(in: stage.sandbox)
        stage.environment = clock.environment
        let rhythm = Rhythm(stage)
        let load = Load(stage: stage, others: rhythm.sidecars)
        try load.declare()
        // Held by a client in every other stage.
        let client = try stage.chance.isHeads() ? stage.start(["up"]) : nil
        if client == nil { try stage.succeed("up", "-d") }
        let before = try load.awaitLeaders()
        let watch = ClockWatch(stage, clock)
        let perStage = min(limit, Self.perStage)
        // In every other stage nobody is there who looks at the clock while it jumps.
        let lost = stage.chance.isHeads() ? stage.chance.next(below: perStage) : -1
        for round in 0..<perStage {
            if round == lost { stage.strike(SIGKILL, [stage.sandbox.supervisor], "the supervisor") }
            let jump = stage.chance.one(of: Self.jumps)
            clock.jump(by: jump)
            stage.note("the clock jumps by \(jump) s, and is \(clock.shift) s ahead")
            stage.tally.rounds += 1
            stage.pause(below: 150)
            try act(watch, rhythm)
        }
        try watch.expectShown(in: "writer.0")
        try watch.logs()
        try load.expectSame(as: before)
        try client.map { try leave($0, stage) }
        try stage.bringDown()
        if clock.looks == 0 { stage.fault("nobody looked at the clock that jumps") }
        rhythm.prove(supervisorWasLost: lost >= 0)
        try stage.prove()
    }

    private func act(_ watch: ClockWatch, _ rhythm: Rhythm) throws {
        switch watch.stage.chance.next(below: 6) {
        case 0: try watch.status()
        case 1: try watch.events()
        case 2: try watch.logs()
        case 3: try rhythm.stopDeaf { watch.clock.jump(by: watch.stage.chance.one(of: Self.jumps)) }
        default: break
        }
    }

    /// It held the project all the time, and ends it now.
    private func leave(_ client: Program, _ stage: Stage) throws {
        client.signal(SIGINT)
        let ended = try client.end(within: stage.patience)
        if ended.status != 130 { stage.fault("the client ended with \(ended.status): \(ended.errors)") }
    }
}

/// Sidecars that show when they are started, checked and killed, by a clock that does not jump.
private struct Rhythm {
    private static let life = 100
    private static let delay = 300
    private static let period = 300
    /// What a machine that does other things too may take for each.
    private static let slack = 4000

    private let stage: Stage
    private let probes: String

    init(_ stage: Stage) {
        self.stage = stage
        probes = "\(stage.sandbox.directory)/probes"
    }

    var sidecars: String {
        let evidence = stage.evidence
        return """
              again:
                command: [\(evidence.program), \(evidence.directory), "again.0", "period=20", "end=\(Self.life)", "code=7"]
                restart: { delay: \(Self.delay)ms, factor: 1, jitter: 0, max_attempts: 0 }
              checked:
                command: [\(evidence.program), \(evidence.directory), "checked.0", "period=100"]
                stop: { grace: \(Load.grace)ms }
                health: { exec: [sh, -c, "read up rest </proc/uptime; echo $up >>\(probes)"], period: \(Self.period)ms }
              deaf:
                command: [\(evidence.program), \(evidence.directory), "deaf.0", "period=100", "deaf=1"]
                stop: { grace: \(Load.grace)ms }
            """
    }

    /// - Parameter midway: is done while the grace runs.
    func stopDeaf(_ midway: () -> Void) throws {
        guard let deaf = stage.evidence.leaders.first(where: { $0.instance == "deaf.0" }) else {
            return stage.note("the deaf one is not there")
        }
        let asked = ContinuousClock.now
        let stop = try stage.start(["stop", "deaf"])
        stage.pause(below: 200)
        midway()
        let isGone = stage.within(seconds: stage.patience) { !deaf.isAlive }
        let time = (ContinuousClock.now - asked) / .milliseconds(1)
        stage.tally.times.append(time)
        let grace = Double(Load.grace)
        if time < grace || time > grace + Double(Self.slack) { stage.fault("a grace of \(grace) ms took \(time) ms") }
        let ended = try stage.end(stop)
        if !isGone || ended.status != 0 { stage.fault("the deaf one is not stopped: \(ended.everything)") }
        try stage.succeed("start", "deaf")
    }

    func prove(supervisorWasLost: Bool) {
        let starts = stage.evidence.lives.filter { $0.instance == "again.0" }.map { Int($0.startTime) * 10 }
        expect("restarts", starts, every: Self.life + Self.delay, earliest: Self.life + Self.delay - 20)
        let probed = File.text(probes).split(separator: "\n").compactMap { Double($0) }.map { Int($0 * 1000) }
        expect("checks", probed, every: Self.period, earliest: 0)
        // A check that starts late on a busy machine is soon followed by the next one: it is their number that tells. Until
        // the first success they are made more often, and another supervisor checks at once.
        let most = ((probed.max() ?? 0) - (probed.min() ?? 0)) / Self.period + (supervisorWasLost ? 6 : 4)
        if probed.count > most { stage.fault("\(probed.count) checks, where \(most) are asked for") }
    }

    /// - Parameter instants: milliseconds since the machine was started.
    private func expect(_ what: String, _ instants: [Int], every period: Int, earliest: Int) {
        let gaps = zip(instants.sorted(), instants.sorted().dropFirst()).map { $1 - $0 }
        stage.note("\(instants.count) \(what)")
        if gaps.count < 2 { stage.fault("no \(what): \(instants)") }
        for gap in gaps where gap < earliest || gap > period + Self.slack {
            stage.fault("\(what) after \(gap) ms, where \(period) are asked for")
        }
    }
}
