import SidecarModel
import Planning
import Reconciliation

/// Two sidecars, one of which needs the other, and every order in which a few things can happen to them.
package struct SmallWorld: Sendable {
    /// What can happen next.
    package enum Move: CaseIterable, Sendable {
        /// The next thing that is due: a fact, an answer, a deadline.
        case time
        case databaseCrashes
        case webCrashes
        case stopDatabase
        case restartDatabase
        case startWeb
        case supervisorDies
        case shutdown
    }

    package struct Failure: Error, Sendable {
        package var moves: [Move]
        package var broken: InvariantBroken
        package var trace: [String]
    }

    package private(set) var sequences = 0
    private let length: Int

    package init(length: Int) { self.length = length }

    /// Plays every sequence of moves up to the length; from each complete one on nothing more goes wrong, and it must
    /// settle and end. Throws the first that breaks an invariant.
    package mutating func explore() throws(Failure) {
        var moves: [Move] = []
        do throws(InvariantBroken) {
            var world = try Self.begin()
            try world.up()
            try explore(world, &moves)
        } catch {
            throw Failure(moves: moves, broken: error, trace: Self.trace(of: moves))
        }
    }

    private static func begin() throws(InvariantBroken) -> World {
        let web = SidecarSpec.service("web", after: .healthy("db")) { $0.restart.maxAttempts = 2 }
        let db = SidecarSpec.service("db") { $0.restart.delay = .milliseconds(5) }
        do throws(PlanError) {
            var world = try World(web, db)
            world.trace = nil
            world.auditEvery = 16
            return world
        } catch {
            throw InvariantBroken(invariant: .settles, detail: "the small world is no plan: \(error)")
        }
    }

    private mutating func explore(_ world: World, _ moves: inout [Move]) throws(InvariantBroken) {
        if moves.count == length {
            sequences += 1
            var rest = world
            return try rest.comeToAnEnd()
        }
        for move in Move.allCases {
            var next = world
            moves.append(move)
            try next.play(move)
            try explore(next, &moves)
            moves.removeLast()
        }
    }

    /// What happened on the way, told by playing it again.
    private static func trace(of moves: [Move]) -> [String] {
        guard var world = try? begin() else { return [] }
        world.trace = []
        do throws(InvariantBroken) {
            try world.up()
            for move in moves { try world.play(move) }
            try world.comeToAnEnd()
        } catch {}
        return world.trace ?? []
    }
}

extension World {
    fileprivate mutating func play(_ move: SmallWorld.Move) throws(InvariantBroken) {
        switch move {
        case .time: _ = try step()
        case .databaseCrashes: try crash("db")
        case .webCrashes: try crash("web")
        case .stopDatabase: try request(.stop(["db"], scope: .cascade, by: .user))
        case .restartDatabase: try request(.restart(["db"], by: .user))
        case .startWeb: try request(.start(["web"], by: .user))
        case .supervisorDies: try replaceSupervisor(after: .microseconds(50))
        case .shutdown: try request(.shutdown(by: .user))
        }
    }

    /// Lets all settle, then goes down.
    package mutating func comeToAnEnd() throws(InvariantBroken) {
        var left = 2000
        while left > 0, finished == nil, !isAtRest, try step() { left -= 1 }
        try checkSettled()
        if finished == nil { try request(.shutdown(by: .user)) }
        while left > 0, finished == nil, try step() { left -= 1 }
        try checkEnded()
    }
}
