import Glibc
import SidecarModel
import Testing

@testable import Supervision

struct LostLifeTests {
    @Test(.timeLimit(.minutes(1)))
    func `what runs by the present records is left alone, and known by its mark once these are lost`() throws {
        let directory = TemporaryDirectory()
        let loop = try EventLoop()
        let host = try ProcessHost(
            loop: loop, stateDirectory: directory.path, descriptors: nil, containment: .session)
        let request = ProcessRequest(
            name: "a/0", kind: .sidecar, incarnation: 1, arguments: ["sleep", "1000"], environment: [],
            workingDirectory: "/")
        var result: Result<SpawnedProcess, SpawnFailure>?
        host.spawn(request) {
            result = $0
            loop.stop()
        }
        try loop.run()
        let pid = try #require(try result?.get().pid)
        // Reaped too: Swift Testing waits for any child of this process where it waits for its own, and would look at this
        // one for ever.
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        #expect(host.lostLifeSearch.run().found.isEmpty)

        unlink(directory.path + "/spawns")
        let records = try SpawnRecords(directory: directory.path)
        #expect(records.mustSearch)
        let search = LostLifeSearch(nonce: records.nonce, besides: records)
        #expect(search.run().found.map(\.pid) == [pid])
        #expect(LostLifeSearch(stateDirectory: directory.path).findsAny)
    }
}
