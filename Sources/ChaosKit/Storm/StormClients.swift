import Glibc

/// The clients of a storm: they come, speak, leave in every way there is, and say when what they were promised is not kept.
final class StormClients {
    private let stage: Stage
    private var conversations: [Conversation] = []
    /// By process: who was served by it.
    private var served: [String: Conversation] = [:]
    private var gone: [Conversation] = []

    private static let most = 6

    init(_ stage: Stage) { self.stage = stage }

    // MARK: What they do

    func act(at doors: [String]) throws {
        for _ in 0..<1 + stage.chance.next(below: 3) {
            switch stage.chance.next(below: 5) {
            case 0, 1: if let door = doors.isEmpty ? nil : stage.chance.one(of: doors) { try come(to: door) }
            case 2:
                // What was said by now is judged before anybody leaves.
                listen()
                if !conversations.isEmpty { leave(stage.chance.next(below: conversations.count)) }
            default: for one in conversations { one.say() }
            }
        }
        listen()
    }

    private func come(to door: String) throws {
        guard conversations.count < Self.most else { return }
        let one: Conversation
        if stage.chance.isHeads() {
            one = try Conversation(attachedTo: door, in: stage.sandbox)
        } else {
            // As `port` says; without asking, as it may come at any time.
            let path = stage.sandbox.stateDirectory.map { "\($0)/clients/\(door).0" } ?? ""
            guard let connected = try? Conversation(connectedTo: door, at: path) else {
                return stage.note("nobody listens at \(door)")
            }
            one = connected
        }
        stage.note("a client comes to \(door)")
        conversations.append(one)
    }

    /// Keeper and supervisor are gone, and nobody has their connections: the next supervisor ends what serves them.
    func loseTheirKeeping() { for one in conversations { one.isDoomed = true } }

    private func leave(_ index: Int) {
        let farewell = stage.chance.one(of: Conversation.Farewell.allCases)
        let one = conversations[index]
        if farewell != .endInput {
            conversations.remove(at: index)
            gone.append(one)
        }
        stage.note("the client of \(one.partner ?? "nobody yet") leaves: \(farewell)")
        one.leave(farewell)
    }

    /// Takes in what was said, and sees who it was.
    private func listen() {
        for one in conversations { one.hear() }
        for one in conversations {
            if let partner = one.partner {
                let client = served[partner] ?? one
                served[partner] = client
                if client !== one { stage.fault("\(partner) of \(one.door) serves two clients") }
            }
            if let fault = one.fault { stage.fault("a client of \(one.door): \(fault)") }
            if one.isOver, one.isPromised {
                stage.fault("the conversation with \(one.partner ?? "nobody") is over: \(one.ending)")
            }
        }
        gone += conversations.filter { $0.isOver || $0.fault != nil }
        conversations.removeAll { $0.isOver || $0.fault != nil }
    }

    // MARK: What is to hold

    /// What is not as it is to be at this door in the end: each client has a process, and there is no process without one.
    func wrong(of door: String, _ state: Substring, _ living: [ChaosEvidence.Life]) -> String? {
        listen()
        let clients = conversations.filter { $0.door == door }
        guard state == "healthy" else {
            guard state == "failed" || state == "blocked" else { return "\(door) is \(state)" }
            return living.isEmpty ? nil : "\(door) is \(state), and there live \(living)"
        }
        for one in clients where !one.isAnswered {
            one.hear()
            if !one.isAnswered { return "a client of \(door) waits for \(one.partner ?? "anybody")" }
        }
        let partners = Set(clients.compactMap(\.partner))
        let alive = Set(living.map(\.id))
        guard partners == alive else { return "\(door) has clients of \(partners), and there live \(alive)" }
        return nil
    }

    /// All is settled: whoever speaks now is promised an answer, over the loss of the supervisor or the keeper too, and
    /// leaves nothing behind, also where nobody is there who could see it leave.
    func leaveOneAfterTheOther() throws {
        // Who came to what is no longer declared may have lost it before, and not have heard of that: what escaped with
        // the keeper still holds the connection.
        let alive = Set(stage.evidence.leaders.map(\.id))
        let served = conversations.filter { $0.partner.map(alive.contains) ?? true }
        for one in served { one.isPromised = one.hasInput && one.partner != nil && !one.isDoomed }
        strike(stage.sandbox)
        for one in served { one.say() }
        let areAnswered = stage.within(seconds: 20) {
            for one in served { one.hear() }
            return served.allSatisfy { $0.isAnswered || $0.isOver }
        }
        if !areAnswered { stage.fault("a client gets no answer") }
        listen()
        // The others see the project go down.
        let leaving = conversations.filter { _ in stage.chance.next(below: 3) > 0 }
        part(from: leaving)
        gone += leaving
        conversations.removeAll { one in leaving.contains { $0 === one } }
        // Nor does what comes next, which is the end of the project, let them go on.
        for one in conversations { one.isPromised = false }
    }

    private func strike(_ sandbox: Sandbox) {
        switch stage.chance.next(below: 4) {
        case 0:
            stage.keeperWasLost = true
            stage.strike(oneOfTwo: sandbox.keeper, "the keeper")
        case 1, 2: stage.strike(oneOfTwo: sandbox.supervisor, "the supervisor")
        default: break
        }
    }

    private func part(from leaving: [Conversation]) {
        var served = leaving.compactMap { one in
            one.partner.map { partner in
                let left = ContinuousClock.now
                part(from: one, served: partner)
                return (partner, left)
            }
        }
        let areGone = stage.within(seconds: 30) {
            served.removeAll { partner, left in
                guard remains(of: partner).isEmpty else { return false }
                stage.tally.times.append((ContinuousClock.now - left) / .milliseconds(1))
                return true
            }
            return served.isEmpty
        }
        if !areGone {
            stage.tally.orphans += served.count
            for (partner, _) in served {
                stage.fault("of \(partner), whose client left, there remain \(remains(of: partner))")
            }
        }
        for one in leaving { one.close() }
    }

    private func part(from one: Conversation, served partner: String) {
        guard one.hasInput, stage.chance.next(below: 3) == 0 else {
            return one.leave(stage.chance.isHeads() ? .hangUp : .terminate)
        }
        let code = 3 + stage.chance.next(below: 90)
        do {
            // Of a process that its keeper left, nobody may know how it ended.
            if let told = try one.end(with: code), told != code, !(stage.keeperWasLost && told == 1) {
                stage.fault("attach ended with \(told), and its process \(partner) with \(code)")
            }
        } catch {
            stage.fault("attach does not end with its process \(partner): \(error)")
        }
    }

    /// The process and its descendants, which wrote down whose they are.
    private func remains(of partner: String) -> [ChaosEvidence.Life] {
        let leader = partner.split(separator: ".").first.flatMap { Int($0) } ?? 0
        let descendants = stage.evidence.descendants.filter { $0.servesClient && $0.written == leader }
        let all = stage.evidence.lives.filter { $0.id == partner } + (stage.mayEscape ? [] : descendants)
        return all.filter(\.isAlive)
    }

    /// The project is down: nobody is served any more, and everybody knows.
    func expectAllOver() {
        let areOver = stage.within(seconds: 20) {
            for one in conversations { one.hear() }
            return conversations.allSatisfy(\.isOver)
        }
        if !areOver { stage.fault("a client does not see the end") }
        for one in conversations + gone { one.close() }
    }
}
