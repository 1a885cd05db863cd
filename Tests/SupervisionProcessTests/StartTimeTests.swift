import SidecarModel
import Supervision
import Testing

/// When a process was started is what the kernel says, however late the loop hears of it: a file that the process wrote
/// at once would seem older than its start.
@Suite(.serialized) struct StartTimeTests {
    @Test func `a start is not dated by when the loop heard of it`() throws {
        let bench = try SpawnBench()
        let before = Instant.now
        let answer = try bench.spawn(["sleep", "1000"])
        let heard = Instant.now
        let process = try answer.get()
        let started = try #require(bench.host.startInstant(of: process.id))
        // The kernel counts in hundredths of a second.
        #expect(before - started < .milliseconds(20))
        #expect(started <= heard)
        bench.host.onExit = { [host = bench.host] id, _ in host.clear(id, nil) }
        bench.host.onEmpty = { [loop = bench.loop, host = bench.host] id in
            host.release(id)
            loop.stop()
        }
        bench.host.kill(process.id)
        try bench.loop.run()
        bench.host.onExit = { _, _ in }
        bench.host.onEmpty = { _ in }
    }
}
