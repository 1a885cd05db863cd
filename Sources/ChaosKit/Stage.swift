import Glibc

/// One project in a sandbox, somebody who operates it and strikes it, and what is counted of it from outside.
package final class Stage {
    let sandbox: Sandbox
    let evidence: ChaosEvidence
    var chance: Chance
    package var tally = Tally()
    /// What is wrong, in sentences.
    package private(set) var faults: [String] = []
    package private(set) var timeline: [String] = []
    /// `best`, or `session`: without cgroups.
    let containment: String
    /// Without cgroups, what left its session may escape then.
    var keeperWasLost = false
    /// Nobody held the FIFOs and waited for exits for a while: what was unread of those that ended, and how, may be
    /// unknown.
    var allWereLost = false
    private var lastLoss: ContinuousClock.Instant?
    /// The lives that were ended by SIGKILL here, of which nothing else is to be said.
    private var killed: Set<String> = []
    private let began = ContinuousClock.now
    /// Seconds that a command may take.
    var patience = 40
    /// What every program that is started here finds in its environment besides.
    var environment: [String: String] = [:]
    private var atEnd: [() -> Void] = []

    package init(_ sandbox: Sandbox, seed: UInt64, containment: String? = nil) throws {
        self.sandbox = sandbox
        chance = Chance(seed: seed &* 0x9E37_79B9_7F4A_7C15)
        for _ in 0..<8 { _ = chance.next(below: 2) }
        evidence = try ChaosEvidence(in: sandbox)
        let drawn = chance.isHeads() ? "best" : "session"
        self.containment = containment ?? drawn
        note("containment \(self.containment)")
    }

    var mayEscape: Bool { keeperWasLost && containment == "session" }

    func note(_ what: String) {
        let milliseconds = (ContinuousClock.now - began) / .milliseconds(1)
        timeline.append("\(Int(milliseconds)) ms  \(what)")
    }

    func fault(_ what: String) {
        note("FAULT \(what)")
        faults.append(what)
    }

    func pause(below milliseconds: Int) { poll(nil, 0, Int32(chance.next(below: milliseconds))) }

    // MARK: Commands

    func start(_ arguments: [String], programs: String? = nil) throws -> Program {
        note("orchestrate \(arguments.joined(separator: " "))")
        let words = ["\(programs ?? sandbox.programs)/orchestrate"] + arguments
        return try sandbox.start(program: words, environment: variables)
    }

    /// What whoever starts something here gives it.
    var variables: [String: String] { environment.merging(["ORCHESTRATE_CONTAINMENT": containment]) { $1 } }

    /// To be done when nothing of the project runs any more.
    func finally(_ body: @escaping () -> Void) { atEnd.append(body) }

    func clear() {
        for body in atEnd.reversed() { body() }
        atEnd = []
    }

    /// Waits for a command that may fail, but not by a bug.
    @discardableResult
    func end(_ command: Program) throws -> Program.Ended {
        let ended: Program.Ended
        do {
            ended = try command.end(within: patience)
        } catch {
            note("what there is: \(sandbox.processes)")
            throw error
        }
        note("ended with \(ended.status)")
        let last = ended.errors.split(separator: "\n").last.map(String.init) ?? ""
        if ended.status != 0, ended.status != 137 { note("  \(last)") }
        guard ended.status != 70, ended.status < 128 || ended.status == 137 else {
            throw HarnessError("a bug is reported: \(ended.everything)")
        }
        return ended
    }

    /// Runs a command that is to succeed, most of the time one without faults about.
    func succeed(_ arguments: String..., programs: String? = nil) throws {
        try succeed(arguments, programs: programs)
    }

    func succeed(_ arguments: [String], programs: String? = nil) throws {
        let ended = try end(start(arguments, programs: programs))
        guard ended.status == 0 else {
            throw HarnessError(
                "orchestrate \(arguments.joined(separator: " ")) ended with \(ended.status): \(ended.everything)")
        }
    }

    // MARK: Strikes

    func strike(_ signal: Int32, _ targets: [SeenProcess?], _ what: String) {
        let present = targets.compactMap(\.self)
        note("kill -\(signal) \(what): \(present.map { String($0.pid) }.joined(separator: " "))")
        for target in present { target.signal(signal) }
        tally.strikes += present.count
    }

    /// Keeper or supervisor. A second one before all is there again is the loss of both.
    func strike(oneOfTwo target: SeenProcess?, _ what: String) {
        let isWhole = sandbox.keeper != nil && sandbox.supervisor != nil
        if !isWhole || lastLoss.map({ ContinuousClock.now - $0 < .seconds(3) }) ?? false { allWereLost = true }
        lastLoss = .now
        strike(SIGKILL, [target], what)
    }

    /// Seen from outside: the next loss is one by itself, however soon it comes.
    func allIsBack() { lastLoss = nil }

    /// None of them sees another die. Returns when it was.
    @discardableResult
    func strikeAtOnce(_ targets: [SeenProcess?], _ what: String) -> ContinuousClock.Instant {
        keeperWasLost = true
        allWereLost = true
        for target in targets { target?.signal(SIGSTOP) }
        let now = ContinuousClock.now
        strike(SIGKILL, targets, what)
        return now
    }

    func kill(leader life: ChaosEvidence.Life) {
        strike(SIGKILL, [life.process], "\(life.instance)")
        killed.insert(life.id)
    }

    func anyone(of lives: [ChaosEvidence.Life]) -> ChaosEvidence.Life? {
        let alive = lives.filter(\.isAlive).sorted { ($0.pid, $0.startTime) < ($1.pid, $1.startTime) }
        return alive.isEmpty ? nil : chance.one(of: alive)
    }

    // MARK: What is to hold

    /// Returns whether it came to hold.
    func within(seconds: Int, _ holds: () throws -> Bool) rethrows -> Bool {
        try Deadline(seconds: seconds).comes(every: 2, holds)
    }

    /// Brings the project down; whatever of a sidecar lives after that is an orphan.
    func bringDown(by programs: String? = nil) throws {
        try succeed("down", programs: programs)
        countLeft("after down")
        try sandbox.eventually("the supervision is gone") { sandbox.processes.isEmpty }
    }

    func countLeft(_ when: String) {
        let left = evidence.everyone
        guard !left.isEmpty else { return }
        if mayEscape {
            tally.escaped += left.count
            note("\(left.count) escaped \(when): \(left)")
        } else {
            tally.orphans += left.count
            fault("orphans \(when): \(left)")
        }
        endEveryone()
    }

    /// What forks without an end can only be ended while it stands still.
    func endEveryone() {
        while case let left = evidence.everyone, !left.isEmpty {
            for process in left { process.signal(SIGSTOP) }
            for process in evidence.everyone.filter(left.contains) { process.kill() }
        }
    }

    /// Compares what the sidecars say of themselves with the logs and the journal.
    ///
    /// - Parameter linesMayBeLost: where nobody held the FIFOs while a writer ended.
    func prove(linesMayBeLost: Bool? = nil, programs: String? = nil) throws {
        let lossAllowed = linesMayBeLost ?? allWereLost
        for shout in evidence.shouts where !(mayEscape && shout.hasPrefix("remains")) {
            if shout.hasPrefix("double") { tally.duplicates += 1 } else { tally.orphans += 1 }
            fault(shout)
        }
        let lives = evidence.lives
        let events = try end(start(["events"], programs: programs))
        let record = ChaosRecord(of: sandbox, instances: Set(lives.map(\.instance)), events: events.output)
        tally.torn += record.torn.count
        for line in record.torn.prefix(5) { fault("torn: \(line)") }
        for life in lives { prove(life, by: record, lossAllowed: lossAllowed) }
        if !faults.isEmpty { note("events:\n\(events.output.suffix(20_000))") }
    }

    private func prove(_ life: ChaosEvidence.Life, by record: ChaosRecord, lossAllowed: Bool) {
        let numbers = record.lines["\(life.instance).\(life.id)"] ?? []
        let seen = Set(numbers)
        tally.lines += seen.count
        tally.repeated += numbers.count - seen.count
        let known = lossAllowed ? (numbers.max() ?? -1) + 1 : life.written
        let lost = (0..<known).filter { !seen.contains($0) }
        if let first = lost.first {
            tally.lost += lost.count
            fault("lost: \(lost.count) of \(life.written) lines of \(life.instance) \(life.id), from \(first)")
        }
        if life.servesClient { return }
        let end = killed.contains(life.id) && life.told == nil ? "SIGKILL" : life.told.map { "exit \($0)" }
        guard let end else { return }
        let unknownAllowed = allWereLost || keeperWasLost
        if let wrong = record.fault(in: life, endedBy: end, unknownAllowed: unknownAllowed) {
            tally.wrongExits += 1
            fault("exit: \(wrong)")
            note("the log of \(life.instance):\n\(record.stories[life.instance, default: []].joined(separator: "\n"))")
        }
    }
}
