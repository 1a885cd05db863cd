import ControlAPI
import ControlClient
import Glibc
import StateStore

// After a supervisor was lost under a command.
extension ProjectContext {
    /// How many may be lost under one question.
    private static let lossesBorne = 20

    /// Asks the supervisor what may be asked twice: one that dies over it has a successor, who is asked again.
    func ask<Answer>(_ question: (ControlClient) throws -> Answer) throws -> Answer {
        try ask(try connect(), question)
    }

    func ask<Answer>(_ first: ControlClient, _ question: (ControlClient) throws -> Answer) throws -> Answer {
        var client = first
        return try outlivingLosses {
            try question(client)
        } afterEach: {
            guard let next = try reconnected() else { throw wentDown }
            client = next.client
            return nil
        }
    }

    func ask<Operation: ControlOperation>(
        _: Operation.Type, _ parameters: Operation.Parameters
    ) throws -> Operation.Answer {
        try ask { try $0.call(Operation.self, parameters) }
    }

    /// Tries until no supervisor is lost over it.
    /// - Parameter afterEach: what makes another try possible, or the answer that makes it needless.
    func outlivingLosses<Answer>(
        _ attempt: () throws -> Answer, afterEach: () throws -> Answer?
    ) throws -> Answer {
        for _ in 0..<Self.lossesBorne {
            do {
                return try attempt()
            } catch let error as ControlError where error.code == .noSupervisor {
                if let answer = try afterEach() { return answer }
            }
        }
        throw endsAgainAndAgain
    }

    /// Stays with the project, whoever supervises it, until `body` is done or nothing is left. Fails when its supervisor
    /// ends again and again.
    func stay(with first: ControlClient, _ body: (ControlClient) throws -> Void) throws {
        var client = first
        while true {
            do {
                return try body(client)
            } catch let error as ControlError where error.code == .noSupervisor {
                guard Self.survivors(saidBy: client) == nil, let next = try reconnected() else { return }
                client = next.client
            }
        }
    }

    /// Not nil: the last that came before the connection was closed is that the project is down, but for these.
    static func survivors(saidBy client: ControlClient) -> [SurvivorReport]? {
        while let arrived = try? client.receive(), !arrived.isEmpty {
            for case .event(let message) in arrived {
                if case .finished(_, let survivors) = message.event { return survivors }
            }
        }
        return nil
    }

    var wentDown: CommandFailure {
        if LivingSidecars.supervisionWasGivenUp(in: location) { return supervisionGivenUp }
        return CommandFailure(.noSupervisor, "\(name) went down meanwhile, and nothing of it is left")
    }

    static let takenDown = "the project was taken down meanwhile"

    /// Whether somebody had asked for its end before its last supervisor went.
    var wasTakenDown: Bool {
        let row = (try? StateStore(reading: location.journalPath).project()) ?? nil
        return row.map { !$0.isWanted } ?? false
    }

    /// Its keeper has ended with it.
    var supervisionGivenUp: CommandFailure {
        CommandFailure(
            .failed,
            "the supervisor of \(name) ended 5 times within a minute, and nothing of it is running; what ended it is in "
                + location.supervisorLogPath)
    }

    /// What is to be said when its supervisor ends again and again.
    var brokenSupervisor: String {
        let lives = LivingSidecars.exist(in: location) ? "Its sidecars go on, and it" : "It"
        let wayOut = LivingSidecars.keeper(in: location).map {
            ". If nothing brings it back: kill -9 \($0), and then 'orchestrate down\(selector)' by a program that works"
        }
        return "the supervisor of \(name) ended 5 times within a minute; what ended it is in "
            + "\(location.supervisorLogPath). \(lives) is tried again every 10 s: once it is back, "
            + "'orchestrate down\(selector)' ends everything" + (wayOut ?? "")
    }

    var endsAgainAndAgain: CommandFailure {
        CommandFailure(.failed, "the supervisor ends again and again; see \(location.supervisorLogPath)")
    }

    /// The one that its keeper started again, or one that takes up what lives. Nil when there is nobody who would start
    /// one, and nothing to take up.
    func reconnected() throws -> SupervisorStarter.Connection? {
        var attempts = 0
        let wait = patience.begin(.asLongAsItTakes)
        while true {
            try checkPatience()
            try Guard.awaitEnd(of: location, checkPatience)
            do {
                if let client = try running() { return .init(client: client, isFresh: false) }
                // Who is there, on the way or about to leave is waited for; what the records say of sidecars is true once
                // it has gone. Its socket proves nothing: it outlives who listened, and is away while it is made anew.
                if !SupervisorStarter.isHeld(location.lockPath) {
                    return LivingSidecars.exist(in: location) ? try connectOrStart() : nil
                }
            } catch let error as ControlError where error.code == .noSupervisor {}
            attempts += 1
            if attempts > 500, LivingSidecars.haveBrokenSupervisor(in: location) {
                throw CommandFailure(.failed, brokenSupervisor)
            }
            try heedKeeper(wait)
            poll(nil, 0, 20)
        }
    }

    /// While no supervisor is there: says that its keeper is stopped, has the lock and starts none, and throws once the
    /// wait is over.
    private func heedKeeper(_ wait: Patience.Running) throws {
        guard let silence = stoppedKeeper() else { return }
        _ = try patience.rest(of: wait, silence)
    }

    func stoppedKeeper() -> Silence? {
        Silence(ofStoppedKeeper: LivingSidecars.keeper(in: location), "started a supervisor")
    }

    /// The running supervisor, or one that is on its way: what the records say of sidecars is true once there is none.
    func runningOrReturned() throws -> ControlClient? {
        if let client = try running() { return client }
        // Tried again in ten seconds: whoever asks is told that instead.
        return LivingSidecars.haveBrokenSupervisor(in: location) ? nil : try returned()
    }

    /// One that its keeper starts again although nothing runs at present. Nil: there is none, or it is on its way out.
    func returned() throws -> ControlClient? {
        let wait = patience.begin(.atMost(.seconds(9)))
        for _ in 0..<500 {
            guard SupervisorStarter.isHeld(location.lockPath) else { return nil }
            try heedKeeper(wait)
            try checkPatience()
            poll(nil, 0, 20)
            do {
                if let client = try running() { return client }
            } catch let error as ControlError where error.code == .noSupervisor {
                continue
            }
        }
        return nil
    }

    /// What ends the wait for a supervisor that may never come.
    func checkPatience() throws {
        if SignalWatch.isInterrupted {
            throw CommandFailure(
                .interrupted,
                "interrupted while the supervisor was away; ask for what became of it: orchestrate status\(selector)")
        }
        guard patience.isOver else { return }
        throw CommandFailure(.timeout, "not done in time: the supervisor was lost, and is not back")
    }

    /// A connection to who was started again, with the project as it is found there.
    func resubscribed(
        _ subscription: Subscribe.Parameters
    ) throws -> (connection: SupervisorStarter.Connection, project: ProjectReport)? {
        while let connection = try reconnected() {
            do throws(ControlError) {
                return (connection, try connection.client.call(Subscribe.self, subscription).project)
            } catch {
                guard error.code == .noSupervisor else { throw error }
            }
        }
        return nil
    }
}
