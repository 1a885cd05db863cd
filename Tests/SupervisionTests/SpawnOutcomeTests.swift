import Glibc
import SidecarModel
import Testing

@testable import Supervision

struct SpawnOutcomeTests {
    /// Nobody rings for the one that failed, as others waited for a thread, and no thread comes to an end after it.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func `what came of a start is heard of though the next ones hang`(isAwaited: Bool) throws {
        let directory = TemporaryDirectory()
        let loop = try EventLoop()
        let host = try ProcessHost(
            loop: loop, stateDirectory: directory.path, descriptors: nil, containment: .session)
        let (first, later) = (Supervision.Semaphore(), Supervision.Semaphore())
        let refusal = SpawnFailure(step: .log, message: "this is a test")
        var over: [Int] = []
        for number in 0..<4 {
            var request = ProcessRequest(
                name: "a/\(number)", kind: .sidecar, incarnation: 1, arguments: ["true"], environment: [],
                workingDirectory: "/")
            request.isAwaited = isAwaited
            let gate = number == 0 ? first : later
            request.prepare = { () throws(SpawnFailure) -> StandardDescriptors in
                gate.wait()
                throw refusal
            }
            host.spawn(request) { _ in
                over.append(number)
                loop.stop()
            }
        }
        first.raise()
        try loop.run()
        #expect(over == [0])
        for _ in 1..<4 { later.raise() }
        while over.count < 4 { try loop.run() }
        #expect(over.sorted() == [0, 1, 2, 3])
    }
}
