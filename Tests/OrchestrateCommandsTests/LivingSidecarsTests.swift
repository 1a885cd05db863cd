import Glibc
import SidecarModel
import StateStore
import Testing

@testable import OrchestrateCommands
@testable import Supervision

@Suite struct LivingSidecarsTests {
    @Test(.timeLimit(.minutes(1)))
    func `what a lost life left lives also when new records were made and nobody has looked for it yet`() throws {
        var template = Array("/tmp/orchestrate-test-XXXXXX".utf8CString)
        let path = String(cString: try #require(mkdtemp(&template)))
        defer {
            for name in (try? Directory.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
            rmdir(path)
        }
        let location = ProjectLocation(identity: "one", stateDirectory: path)
        let loop = try EventLoop()
        let host = try ProcessHost(loop: loop, stateDirectory: path, descriptors: nil, containment: .session)
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
        var isReaped = false
        func end() {
            guard !isReaped else { return }
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            isReaped = true
        }
        defer { end() }
        #expect(LivingSidecars.exist(in: location))

        unlink(path + "/spawns")
        let records = try SpawnRecords(directory: path)
        #expect(LivingSidecars.exist(in: location))
        // It was looked for, and was no life of this project.
        records.mustSearch = false
        #expect(!LivingSidecars.exist(in: location))
        records.mustSearch = true
        end()
        #expect(!LivingSidecars.exist(in: location))
    }
}
