import Reconciliation
import SidecarModel
import Testing

struct EndTests {
    @Test func `what has no process is told too that the project goes down`() throws {
        var (job, db) = (service("job"), service("db"))
        (job.kind, job.restart.policy, db.restart.policy) = (.task, .never, .never)
        let waiting = service("late", after: ("slow", .healthy))
        var bench = try Bench(job, db, service("slow"), waiting, service("web", after: ("db", .healthy)))
        _ = bench.up()
        for name in ["job", "db", "slow"] { _ = bench.spawned(name) }
        _ = bench.exited("job", .code(0))
        _ = bench.exited("db", .code(1))
        let names = ["job", "db", "slow", "late", "web"]
        #expect(names.map { bench.state($0) } == [.completed, .failed, .starting, .waiting, .blocked])
        _ = bench.send(.shutdown(by: .user))
        #expect(names.map { bench.status($0)?.reason } == names.map { _ in "the project goes down" })
    }

    @Test func `a row of failures is over when health has lasted, and nothing wakes for that`() throws {
        var spec = service("web")
        spec.restart.resetAfter = .seconds(3)
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("web")
        _ = bench.exited("web", .code(1))
        _ = bench.wait()
        _ = bench.spawned("web")
        _ = bench.pass(.seconds(1))
        #expect(bench.state("web") == .healthy)
        #expect(bench.reconciler.nextDeadline == nil)
        let failures = [2, 3].map { seconds in
            bench.reconciler.status(of: bench.place("web"), at: bench.now + .seconds(seconds))?.consecutiveFailures
        }
        #expect(failures == [1, 0])
    }

    @Test func `an end for want of its port is told as one, and follows the same policy`() throws {
        var spec = service("api")
        (spec.restart.policy, spec.restart.noRestartCodes) = (.onFailure, [98])
        var bench = try Bench(spec)
        _ = bench.up()
        for code: Int32 in [0, 1, 98] {
            _ = bench.spawned("api")
            let (place, life) = (bench.place("api"), bench.incarnation("api"))
            _ = bench.send(
                .exited(place, life, .code(code), portConflict: "port 1 is taken"), .emptied(place, life))
            switch code {
            // It did what it was to do, whoever has its port.
            case 0: #expect(bench.state("api") == .completed)
            case 1:
                #expect(bench.state("api") == .backoff)
                #expect(bench.status("api")?.reason.hasPrefix("port_conflict: port 1 is taken (exit 1), ") == true)
                #expect(bench.status("api")?.lastExit == .code(1))
            default: #expect(bench.state("api") == .failed)
            }
            _ = bench.send(.start(["api"], by: .user))
        }
    }
}
