import Reconciliation
import SidecarModel
import Testing

/// Who waits for whom while sidecars stop, and whom a stop would harm.
@Suite struct StopTests {
    @Test func `a stop names those it waits for, and says how far it is itself`() throws {
        var bench = try Bench(service("db"), service("web", after: ("db", .started)))
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.spawned("web")
        #expect(bench.status("web")?.stop == nil)
        _ = bench.send(.shutdown(by: .user))
        #expect(bench.status("db")?.waitingFor == ["web"])
        #expect(bench.status("db")?.stop == .queued)
        let killAt = bench.now + StopSpec().grace
        #expect(bench.status("web")?.waitingFor == [])
        #expect(bench.status("web")?.stop == .signalled(.terminate, next: .kill, at: killAt))
        _ = bench.pass(StopSpec().grace)
        #expect(bench.status("web")?.stop == .killed)
        _ = bench.exited("web", .signal(.kill))
        #expect(bench.status("web")?.stop == nil)
        #expect(bench.status("db")?.waitingFor == [])
        #expect(bench.status("db")?.stop == .signalled(.terminate, next: .kill, at: bench.now + StopSpec().grace))
    }

    @Test func `a stop in steps says which signal follows`() throws {
        var spec = service("db")
        spec.stop.steps = [.init(signal: .interrupt, wait: .seconds(1)), .init(signal: .quit, wait: .seconds(2))]
        var bench = try Bench(spec)
        _ = bench.up()
        _ = bench.spawned("db")
        _ = bench.send(.shutdown(by: .user))
        #expect(bench.status("db")?.stop == .signalled(.interrupt, next: .quit, at: bench.now + .seconds(1)))
        _ = bench.pass(.seconds(1))
        #expect(bench.status("db")?.stop == .signalled(.quit, next: .kill, at: bench.now + .seconds(2)))
    }
}
