import Planning
import Reconciliation
import SidecarModel
import Testing

/// What counts as a restart, and who asked for what: the same whether the supervisor was killed meanwhile or not.
@Suite struct CountTests {
    private static func running(_ sidecars: SidecarSpec...) throws -> Bench {
        var bench = try Bench(sidecars)
        _ = bench.up()
        for spec in sidecars {
            _ = bench.spawned(spec.name)
            _ = bench.pass(.seconds(1))
        }
        return bench
    }

    @Test(arguments: [false, true])
    func `what was stopped is started anew, whatever went before`(isKilled: Bool) throws {
        var bench = try Self.running(service("web"))
        for restarts in 0...1 {
            _ = bench.send(.stop(["web"], scope: .only, by: .user))
            _ = bench.exited("web", .signal(.terminate))
            if isKilled { bench = bench.successor(alive: []) }
            #expect(bench.send(.start(["web"], by: .user)).contains(bench.spawn(of: "web")))
            #expect(bench.status("web")?.restartsTotal == restarts)
            #expect(bench.status("web")?.reason == "new start")
            _ = bench.spawned("web")
            _ = bench.pass(.seconds(1))
            guard restarts == 0 else { return }
            _ = bench.send(.restart(["web"], by: .user))
            _ = bench.exited("web", .signal(.terminate))
            #expect(bench.status("web")?.reason == "restart 1")
            _ = bench.spawned("web")
            _ = bench.pass(.seconds(1))
        }
    }

    @Test(arguments: [false, true])
    func `what is started while it stops is started anew, unless by a restart`(isKilled: Bool) throws {
        for (isRestart, reason) in [(false, "new start"), (true, "restart 1")] {
            var bench = try Self.running(service("web"))
            _ = bench.send(.stop(["web"], scope: .only, by: .user))
            _ = bench.send(isRestart ? .restart(["web"], by: .user) : .start(["web"], by: .user))
            if isKilled {
                bench = bench.successor(alive: ["web"])
                _ = bench.send()
            }
            _ = bench.exited("web", .signal(.terminate))
            #expect(bench.status("web")?.reason == reason)
        }
    }

    @Test(arguments: [false, true])
    func `what has failed is restarted, by whomever`(isKilled: Bool) throws {
        var spec = service("web")
        spec.restart.policy = .never
        var bench = try Self.running(spec)
        for restarts in 1...2 {
            _ = bench.exited("web", .code(1))
            #expect(bench.state("web") == .failed)
            if isKilled { bench = bench.successor(alive: []) }
            let effects = restarts == 1 ? bench.send(.start(["web"], by: .user)) : bench.up()
            #expect(effects.contains(bench.spawn(of: "web")))
            #expect(bench.status("web")?.reason == "restart \(restarts)")
            _ = bench.spawned("web")
        }
    }

    @Test(arguments: [false, true])
    func `a restart that waits for others is one when its turn comes`(isKilled: Bool) throws {
        var bench = try Self.running(service("db"), service("web", after: ("db", .healthy)))
        _ = bench.send(.restart(["db", "web"], by: .user))
        _ = bench.exited("db", .signal(.terminate))
        _ = bench.exited("web", .signal(.terminate))
        _ = bench.send(.restart(["web"], by: .user))
        _ = bench.spawned("db")
        _ = bench.pass(.milliseconds(10))
        if bench.state("web") != .waiting { _ = bench.exited("web", .signal(.terminate)) }
        #expect(bench.state("web") == .waiting)
        if isKilled {
            bench = bench.successor(alive: ["db"])
            _ = bench.send()
        }
        _ = bench.pass(.seconds(1))
        #expect(bench.status("web")?.reason == "restart 1")
    }

    @Test(arguments: [false, true])
    func `who asked for a stop is said when it is done`(isKilled: Bool) throws {
        var bench = try Self.running(service("web"))
        _ = bench.send(.stop(["web"], scope: .only, by: .lease))
        if isKilled {
            bench = bench.successor(alive: ["web"])
            _ = bench.send()
        }
        _ = bench.reconciler.takeTransitions()
        _ = bench.exited("web", .signal(.terminate))
        let end = try #require(bench.reconciler.takeTransitions().last)
        #expect(end.to == .stopped)
        #expect(end.initiator == .lease)
    }
}

extension Bench {
    /// The supervisor after this one, which was killed, by what is on record.
    fileprivate func successor(alive: [String]) -> Bench {
        var before = reconciler
        var next = Bench(plan: before.plan)
        next.now = now
        let records = before.takeChangedRecords()
        next.reconciler.restore(
            records.map { ($0, alive.contains($0.sidecar) ? .alive(pid: 100) : .neverSpawned) }, at: now)
        return next
    }
}
