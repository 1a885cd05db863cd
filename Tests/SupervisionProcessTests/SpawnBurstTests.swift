import CProcess
import Glibc
import SidecarModel
import Supervision
import Testing

@Suite(.serialized) struct SpawnBurstTests {
    @Test func `in a burst too a child may run on every processor that we may`() throws {
        let bench = try SpawnBench()
        var ends: [Int32] = [-1, -1]
        try #require(loop_pipe(&ends) == 0)
        let output = Channel(descriptor: ends[0])
        bench.host.onExit = { id, _ in bench.host.clear(id, nil) }
        var living = 40
        bench.host.onEmpty = { id in
            bench.host.release(id)
            living -= 1
            if living == 0 { bench.loop.stop() }
        }
        defer {
            bench.host.onExit = { _, _ in }
            bench.host.onEmpty = { _ in }
        }
        for number in 0..<living {
            var request = ProcessRequest(
                name: "a/\(number)", kind: .sidecar, incarnation: 1,
                arguments: ["grep", "Cpus_allowed:", "/proc/self/status"], environment: ["PATH=/usr/bin:/bin"],
                workingDirectory: "/")
            request.descriptors.output = ends[1]
            bench.host.spawn(request) { result in
                if case .failure(let failure) = result { Issue.record("\(failure)") }
            }
        }
        let count = living
        try bench.loop.run()
        close(ends[1])
        let own = ProcFile.text("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        for _ in 0..<count { #expect(try output.line() == own.map(String.init)) }
    }
}
