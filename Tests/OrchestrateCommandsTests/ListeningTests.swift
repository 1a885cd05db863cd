import ControlAPI
import ControlClient
import Glibc
import SidecarModel
import Testing

@testable import OrchestrateCommands

@Suite struct ListeningTests {
    /// Answers each `subscribe` with a project of one sidecar: `first` on the first connection, `second` on the next.
    private final class Supervisors {
        let path: String
        private let listener: Int32
        private var thread = pthread_t()

        init() throws {
            path = "/tmp/listening-\(getpid())-\(UInt32.random(in: .min ... .max)).sock"
            listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0 && listen(listener, 4) == 0)
            let argument = UnsafeMutableRawPointer(bitPattern: Int(listener) + 1)
            let failure = pthread_create(
                &thread, nil,
                { argument in
                    let listener = Int32(truncatingIfNeeded: Int(bitPattern: argument) - 1)
                    for name in ["first", "second"] { Supervisors.answer(accept(listener, nil, nil), name) }
                    return nil
                }, argument)
            try #require(failure == 0)
        }

        deinit {
            // One that still waits for somebody ends by this.
            shutdown(listener, Int32(SHUT_RDWR))
            pthread_join(thread, nil)
            close(listener)
            unlink(path)
        }

        /// Once, and then it is gone.
        private static func answer(_ peer: Int32, _ name: String) {
            defer { close(peer) }
            var request = [UInt8](repeating: 0, count: 4096)
            guard read(peer, &request, request.count) > 0 else { return }
            let instance = InstanceReport(
                name: name, sidecar: name, replica: 0, kind: .service, state: .healthy, isWanted: true, incarnation: 1,
                since: Timestamp(microseconds: 0))
            let project = ProjectReport(
                project: "p", identity: "p", directory: "/", manifest: "/m", stateDirectory: "/s", phase: .running,
                sidecars: [instance])
            let line = WireFormat.response(.subscribe(Subscribe.Answer(sequence: 0, project: project)), to: .number(1))
            _ = write(peer, line, line.count)
        }
    }

    private let answer = Apply.Answer(
        summary: ApplySummary(changes: [], unchanged: 0, wanted: ["new"]), isLeaseHolder: false,
        created: [Apply.Created(name: "new", sidecar: "new", kind: .service)])

    @Test func `whoever listened before anything was there needs no list of it`() throws {
        let supervisors = try Supervisors()
        let listening = Listening(.init())
        let client = try #require(try ControlClient(socketPath: supervisors.path))
        try listening.begin(client)
        try listening.goOn(client, answer)
        #expect(listening.view?.instances.map(\.name) == ["new"])
    }

    @Test func `a supervisor that follows one which died before it took the manifest up is listened to as well`() throws
    {
        let supervisors = try Supervisors()
        let listening = Listening(.init())
        let dying = try #require(try ControlClient(socketPath: supervisors.path))
        try listening.begin(dying)
        let next = try #require(try ControlClient(socketPath: supervisors.path))
        try listening.goOn(next, answer)
        #expect(listening.view?.instances.map(\.name) == ["second"])
    }
}
