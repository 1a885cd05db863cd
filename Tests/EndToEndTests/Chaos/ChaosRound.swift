import Glibc
import Testing

/// One round: a manifest, an operator and faults by chance, and then the proof.
final class ChaosRound {
    let sandbox: Sandbox
    let evidence: ChaosEvidence
    private(set) var chance: Chance
    private var manifest: ChaosManifest
    private let containment: String
    private let began = ContinuousClock.now
    private(set) var timeline: [String] = []
    /// A keeper was killed: without cgroups, what left its session may escape.
    private var keeperWasLost = false
    /// Nobody held the FIFOs and waited for exits for a while: what was unread, and how it ended, may be unknown.
    private(set) var allWereLost = false
    private(set) var counts = ChaosCounts()

    init(_ sandbox: Sandbox, seed: UInt64) {
        self.sandbox = sandbox
        chance = Chance(seed: seed &* 0x9E37_79B9_7F4A_7C15)
        for _ in 0..<8 { _ = chance.next(below: 2) }
        evidence = ChaosEvidence(in: sandbox)
        manifest = ChaosManifest(
            program: "\(sandbox.programs)/chaos-sidecar", directory: evidence.directory, by: &chance)
        containment = chance.next(below: 2) == 0 ? "best" : "session"
    }

    var mayEscape: Bool { keeperWasLost && containment == "session" }

    func note(_ what: String) {
        let milliseconds = (ContinuousClock.now - began) / .milliseconds(1)
        timeline.append("\(Int(milliseconds)) ms  \(what)")
    }

    func play() throws {
        note("containment \(containment), \(manifest.top)")
        try declare()
        try act(["up", "-d", "--timeout", "20s"])
        for _ in 0..<3 + chance.next(below: 5) {
            try act(nextCommand())
            if chance.next(below: 3) == 0 {
                pause(below: 200)
                fault()
            }
        }
        try settle()
        try end()
        try prove()
    }

    private func declare() throws { try sandbox.declare(manifest.text, top: manifest.top) }

    private func nextCommand() throws -> [String] {
        let name = manifest.sidecars[chance.next(below: manifest.sidecars.count)].name
        switch chance.next(below: 8) {
        case 0: return ["restart", name]
        case 1: return ["restart"]
        case 2: return ["stop", name, chance.next(below: 2) == 0 ? "--force" : "--cascade"]
        case 3: return ["start", name]
        case 4: return ["down"]
        case 5: return ["up", "-d", "--timeout", "20s"]
        default:
            note(manifest.edit(by: &chance))
            try declare()
            return ["up", "-d", "--timeout", "20s"]
        }
    }

    /// Runs a command, most of the time with something that happens in the middle of it.
    private func act(_ arguments: [String], withFaults: Bool = true) throws {
        note("orchestrate \(arguments.joined(separator: " "))")
        let command = try sandbox.start(arguments, environment: ["ORCHESTRATE_CONTAINMENT": containment])
        if withFaults, chance.next(below: 5) < 3 {
            pause(below: 250)
            if chance.next(below: 6) == 0 {
                note("kill the client")
                command.signal(SIGKILL)
            } else {
                fault()
            }
        }
        let ended = try command.end(within: 60)
        note("ended with \(ended.status)")
        let last = ended.errors.split(separator: "\n").last.map(String.init) ?? ""
        if ended.status != 0, ended.status != 137 { note("  \(last)") }
        guard ended.status != 70, ended.status < 128 || ended.status == 137 else {
            throw HarnessError("a bug is reported: \(ended.everything)")
        }
    }

    private func pause(below milliseconds: Int) { poll(nil, 0, Int32(chance.next(below: milliseconds))) }

    // MARK: Faults

    private func fault() {
        let supervision = [sandbox.keeper, sandbox.supervisor, sandbox.guardian].compactMap { $0 }
        switch chance.next(below: 12) {
        case 0, 1, 2: strike(SIGKILL, [sandbox.supervisor], "the supervisor")
        case 3:
            keeperWasLost = true
            strike(SIGKILL, [sandbox.keeper], "the keeper")
        case 4: strike(SIGKILL, [sandbox.guardian], "the guard")
        case 5: strikeAtOnce(Array(supervision.prefix(2)), "keeper and supervisor")
        case 6: strikeAtOnce(supervision, "all three")
        case 7, 8: strike(SIGKILL, [anyone(of: evidence.lives)], "a sidecar")
        case 9: strike(SIGKILL, [anyone(of: evidence.descendants)], "a descendant")
        case 10: freeze(anyone(of: evidence.lives), "a sidecar")
        default: freeze(chance.next(below: 2) == 0 ? sandbox.supervisor : sandbox.keeper, "supervisor or keeper")
        }
    }

    private func anyone(of lives: [ChaosEvidence.Life]) -> SeenProcess? {
        let alive = lives.filter(\.isAlive).sorted { ($0.pid, $0.startTime) < ($1.pid, $1.startTime) }
        guard !alive.isEmpty else { return nil }
        let chosen = alive[chance.next(below: alive.count)]
        return ProcessTable.process(chosen.pid).flatMap { $0.startTime == chosen.startTime ? $0 : nil }
    }

    private func strike(_ signal: Int32, _ targets: [SeenProcess?], _ what: String) {
        let present = targets.compactMap { $0 }
        note("kill -\(signal) \(what): \(present.map { String($0.pid) }.joined(separator: " "))")
        counts.faults += present.isEmpty ? 0 : 1
        for target in present { target.signal(signal) }
    }

    /// None of them sees another die.
    private func strikeAtOnce(_ targets: [SeenProcess], _ what: String) {
        keeperWasLost = true
        allWereLost = true
        for target in targets { target.signal(SIGSTOP) }
        strike(SIGKILL, targets, what)
    }

    private func freeze(_ target: SeenProcess?, _ what: String) {
        note("SIGSTOP \(what): \(target.map { String($0.pid) } ?? "none")")
        target?.signal(SIGSTOP)
        pause(below: 400)
        target?.signal(SIGCONT)
        note("SIGCONT")
        counts.faults += target == nil ? 0 : 1
    }

    // MARK: The end

    /// Faults off: all that is wanted becomes healthy, or says why not, and runs exactly once.
    private func settle() throws {
        try act(["up", "-d", "--timeout", "30s"], withFaults: false)
        let deadline = Deadline(seconds: 20)
        while let fault = try unsettled() {
            guard deadline.milliseconds != nil else { throw HarnessError("does not settle: \(fault)") }
            poll(nil, 0, 50)
        }
        note("settled")
    }

    /// What is not as it is to be in the end.
    private func unsettled() throws -> String? {
        let status = try sandbox.orchestrate("status")
        guard status.status == 0 || status.status == 1 else { return "status: \(status.everything)" }
        let rows = status.output.split(separator: "\n").map { $0.split(separator: " ") }
        let alive = Dictionary(grouping: evidence.lives.filter(\.isAlive), by: \.instance)
        for sidecar in manifest.sidecars {
            for replica in 0..<sidecar.replicas {
                let shown = sidecar.replicas == 1 ? sidecar.name : "\(sidecar.name)/\(replica)"
                guard let row = rows.first(where: { $0.first.map(String.init) == shown }), row.count > 3 else {
                    return "\(shown) is not shown:\n\(status.output)"
                }
                let living = alive["\(sidecar.name).\(replica)"] ?? []
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

    private func end() throws {
        if chance.next(below: 3) == 0 { try act(["down"]) }
        note("the last down")
        let down = try sandbox.orchestrate("down")
        note("ended with \(down.status)")
        guard down.status == 0 else { throw HarnessError("down: \(down.everything)") }
        let left = (evidence.lives + evidence.descendants).filter(\.isAlive)
        if mayEscape {
            counts.escaped += left.count
            for life in left { ProcessTable.process(life.pid)?.kill() }
        } else if !left.isEmpty || !sandbox.sidecars().isEmpty {
            throw HarnessError("left after down: \(left) \(sandbox.sidecars())")
        }
        try sandbox.eventually("the supervision is gone") { sandbox.processes.isEmpty }
    }

    // MARK: The proof

    private func prove() throws {
        var faults = evidence.shouts.filter { !(mayEscape && $0.hasPrefix("remains")) }
        let lives = evidence.lives
        let events = try sandbox.orchestrate("events")
        let record = ChaosRecord(of: sandbox, instances: Set(lives.map(\.instance)), events: events.output)
        faults += record.torn.map { "torn: \($0)" }
        for life in lives {
            let numbers = record.lines["\(life.instance).\(life.id)"] ?? []
            let seen = Set(numbers)
            counts.lives += 1
            counts.lines += seen.count
            counts.repeated += numbers.count - seen.count
            let known = allWereLost ? (numbers.max() ?? -1) + 1 : life.written
            let lost = (0..<known).filter { !seen.contains($0) }
            if let first = lost.first {
                faults.append(
                    "lost: \(lost.count) of \(life.written) lines of \(life.instance) \(life.id), from \(first)")
            }
            if let fault = record.fault(in: life, unknownAllowed: allWereLost || keeperWasLost) {
                faults.append("exit: \(fault)")
            }
        }
        guard faults.isEmpty else {
            throw HarnessError(faults.joined(separator: "\n") + "\n\(events.output.suffix(20_000))")
        }
    }
}

struct ChaosCounts {
    var faults = 0
    var lives = 0
    var lines = 0
    var repeated = 0
    /// Without cgroups and after the loss of a keeper.
    var escaped = 0

    static func += (total: inout Self, round: Self) {
        total.faults += round.faults
        total.lives += round.lives
        total.lines += round.lines
        total.repeated += round.repeated
        total.escaped += round.escaped
    }
}
