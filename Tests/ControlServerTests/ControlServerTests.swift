import CProcess
import ControlAPI
import ControlServer
import Glibc
import SidecarModel
import Supervision
import Testing

/// Answers what the test says, or keeps the reply for later.
private final class Desk: ControlHandler {
    var requests: [ControlRequest] = []
    var replies: [Reply] = []
    var closed = 0
    /// What stores what was decided, at the end of each turn.
    var storing: () -> Void = {}
    var answers: (ControlRequest) -> Result<ControlResponse, ControlError>? = { _ in nil }

    func handle(_ request: ControlRequest, from peer: ControlPeer, reply: @escaping Reply) {
        requests.append(request)
        if let answer = answers(request) { reply(answer) } else { replies.append(reply) }
    }

    func connectionClosed(_ peer: ControlPeer) { closed += 1 }
}

/// A server in a directory of its own, and clients that talk to it between its turns.
private final class Office {
    private var directories: [String]
    let path: String
    let loop: EventLoop
    let desk = Desk()
    let server: ControlServer

    init(subdirectory: String = "") throws {
        var template = Array("/tmp/control-XXXXXX".utf8CString)
        var path = try #require(mkdtemp(&template).map { String(cString: $0) })
        directories = [path]
        for part in subdirectory.split(separator: "/") {
            path += "/\(part)"
            mkdir(path, 0o700)
            directories.append(path)
        }
        self.path = path + "/control.sock"
        loop = try EventLoop()
        loop.onTurnEnd { [desk] in desk.storing() }
        server = try ControlServer(loop: loop, listener: ControlSocket.listen(path: self.path), handler: desk)
    }

    deinit {
        server.close()
        unlink(path)
        for directory in directories.reversed() { rmdir(directory) }
    }

    func connect() throws -> Int32 {
        let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(client, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        try loop.turn()
        return client
    }

    func send(_ bytes: some Sequence<UInt8>, on client: Int32) throws {
        let bytes = Array(bytes)
        try #require(write(client, bytes, bytes.count) == bytes.count)
        try loop.turn()
    }

    func receive(on client: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(client, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }
}

@Suite struct ControlServerTests {
    @Test func `a request is answered on its line`() throws {
        let office = try Office()
        office.desk.answers = { _ in .success(.start(.init(sidecars: ["db"]))) }
        let client = try office.connect()
        defer { close(client) }
        try office.send(WireFormat.request(Start.self, id: 4, .init(names: ["db"])), on: client)
        #expect(
            try WireFormat.answer(office.receive(on: client).utf8.dropLast(), of: Start.self)
                == .init(sidecars: ["db"]))
    }

    @Test func `an answer leaves when what it promises was stored, and not before`() throws {
        let office = try Office()
        office.desk.answers = { _ in .success(.start(.init(sidecars: ["db"]))) }
        let client = try office.connect()
        defer { close(client) }
        var heard: [String] = []
        office.desk.storing = { [unowned office] in heard.append(office.receive(on: client)) }
        try office.send(WireFormat.request(Start.self, id: 4, .init(names: ["db"])), on: client)
        #expect(heard == [""])
        #expect(office.receive(on: client).contains(#""id":4"#))
        office.desk.storing = {}
    }

    @Test func `a reply may come later and out of order`() throws {
        let office = try Office()
        let client = try office.connect()
        defer { close(client) }
        try office.send(
            WireFormat.request(Down.self, id: 1, .init())
                + WireFormat.request(HurryUp.self, id: 2, .init(pace: .noGrace)),
            on: client)
        try #require(office.desk.replies.count == 2)
        office.desk.replies[1](.success(.hurry(.init())))
        office.desk.replies[0](.success(.down(.init(survivors: []))))
        try office.loop.turn()
        let lines = office.receive(on: client).split(separator: "\n")
        #expect(lines.map { $0.contains(#""id":2"#) } == [true, false])
    }

    @Test func `malformed input is answered and the connection stays`() throws {
        let office = try Office()
        office.desk.answers = { _ in .success(.hurry(.init())) }
        let client = try office.connect()
        defer { close(client) }
        try office.send("nonsense\n".utf8, on: client)
        #expect(office.receive(on: client).contains("-32700"))
        try office.send(WireFormat.request(HurryUp.self, id: 2, .init(pace: .killNow)), on: client)
        #expect(office.receive(on: client).contains(#""id":2"#))
    }

    @Test(arguments: [
        "1.5", "null", "true", "[1]", #"{"a":1}"#, #""\ud800""#, "9223372036854775808", "-9223372036854775809", "1e400",
    ])
    func `a request with an id that can't be said back is refused, and nothing is done`(id: String) throws {
        let office = try Office()
        let client = try office.connect()
        defer { close(client) }
        let request = #"{"jsonrpc":"2.0","id":\#(id),"method":"restart","params":{"names":["a"]}}"# + "\n"
        try office.send(request.utf8, on: client)
        let answer = office.receive(on: client)
        #expect(answer.contains(#""id":null"#) && answer.contains("-32600"))
        #expect(office.desk.requests.isEmpty)
    }

    @Test func `a request without an id is never answered, not even when it is wrong`() throws {
        let office = try Office()
        office.desk.answers = { _ in .success(.hurry(.init())) }
        let client = try office.connect()
        defer { close(client) }
        for request in [
            #"{"jsonrpc":"2.0","method":"dance"}"#, #"{"jsonrpc":"2.0","method":"restart","params":{"names":1}}"#,
            #"{"jsonrpc":"2.0","method":"hurry","params":{"pace":"no_grace"}}"#,
        ] {
            try office.send((request + "\n").utf8, on: client)
            #expect(office.receive(on: client).isEmpty)
        }
        #expect(office.desk.requests.count == 1)
        // What is no request is told of: nobody knows whether an answer was wanted.
        for line in [#"{"method":"restart"}"#, "[]", "{"] {
            try office.send((line + "\n").utf8, on: client)
            #expect(office.receive(on: client).contains(#""id":null"#))
        }
    }

    @Test func `another major version is refused before a handler sees it`() throws {
        let office = try Office()
        let client = try office.connect()
        defer { close(client) }
        try office.send(
            WireFormat.request(Hello.self, id: 1, .init(version: ControlVersion(major: 9, minor: 0))), on: client)
        #expect(office.receive(on: client).contains("-32002"))
        #expect(office.desk.requests.isEmpty)
    }

    @Test func `a request past the limit is refused`() throws {
        let office = try Office()
        let client = try office.connect()
        defer { close(client) }
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65_536)
        var refused = ""
        for _ in 0...(ControlLimits.requestBytes / chunk.count) where refused.isEmpty {
            try office.send(chunk, on: client)
            refused = office.receive(on: client)
        }
        #expect(refused.contains("a request is at most 4 MiB"))
    }

    @Test func `events come after the snapshot, and reports only to those who asked`() throws {
        let office = try Office()
        let project = ProjectReport(
            project: "p", identity: "p", directory: "/", manifest: "/m", stateDirectory: "/s", phase: .running)
        office.desk.answers = { _ in .success(.subscribe(.init(sequence: 1, project: project))) }
        let clients = [try office.connect(), try office.connect()]
        defer { clients.forEach { close($0) } }
        for (client, withReports) in zip(clients, [true, false]) {
            try office.send(
                WireFormat.request(Subscribe.self, id: 1, .init(withReports: withReports)), on: client)
            #expect(office.receive(on: client).contains(#""sequence":1"#))
        }
        let report = InstanceReport(
            name: "db", sidecar: "db", replica: 0, kind: .service, state: .healthy, isWanted: true, incarnation: 1,
            since: Timestamp(microseconds: 0))
        let transition = TransitionEvent(
            instance: "db", incarnation: 1, from: .starting, to: .healthy, initiator: .probe, cause: "", report: report)
        office.server.publish(
            EventMessage(sequence: 2, at: Timestamp(microseconds: 0), event: .transition(transition)))
        try office.loop.turn()
        #expect(clients.map { office.receive(on: $0).contains(#""report""#) } == [true, false])
    }

    @Test func `who reads too slowly is told what it missed`() throws {
        let office = try Office()
        office.desk.answers = { _ in
            .success(
                .subscribe(
                    .init(
                        sequence: 0,
                        project: ProjectReport(
                            project: "p", identity: "p", directory: "/", manifest: "/m", stateDirectory: "/s",
                            phase: .running))))
        }
        let client = try office.connect()
        defer { close(client) }
        try office.send(WireFormat.request(Subscribe.self, id: 1, .init()), on: client)
        let text = String(repeating: "x", count: 1 << 20)
        for sequence in 1...8 {
            office.server.publish(
                EventMessage(sequence: UInt64(sequence), at: Timestamp(microseconds: 0), event: .warning(text)))
        }
        office.server.flush()
        var framing = LineFraming(limit: 4 << 20)
        var warnings = 0
        var missed: Int?
        while missed == nil {
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            let count = recv(client, &buffer, buffer.count, 0)
            try #require(count > 0)
            for case .line(let line) in framing.append(buffer[..<count]) {
                guard case .event(let message) = try WireFormat.serverMessage(line) else { continue }
                switch message.event {
                case .warning: warnings += 1
                case .missed(let count): missed = count
                default: Issue.record("unexpected \(message.event)")
                }
            }
            office.server.flush()
            office.loop.poster.post {}
            try office.loop.turn()
        }
        #expect(warnings + (missed ?? 0) == 8)
        #expect(missed == 5)
    }

    @Test func `the handler hears when a client is gone, and a late reply is harmless`() throws {
        let office = try Office()
        let client = try office.connect()
        try office.send(WireFormat.request(Down.self, id: 1, .init()), on: client)
        close(client)
        try office.loop.turn()
        #expect(office.desk.closed == 1)
        office.desk.replies[0](.success(.down(.init(survivors: []))))
    }

    @Test func `a client that sends no more still gets its answer`() throws {
        let office = try Office()
        let client = try office.connect()
        defer { close(client) }
        let request = WireFormat.request(HurryUp.self, id: 1, .init(pace: .noGrace))
        try #require(write(client, request, request.count) == request.count)
        shutdown(client, Int32(SHUT_WR))
        try office.loop.turn()
        try office.loop.turn()
        #expect(office.desk.closed == 0)
        office.desk.replies[0](.success(.hurry(.init())))
        try office.loop.turn()
        #expect(office.receive(on: client).contains(#""id":1"#))
        #expect(office.desk.closed == 1)
    }

    @Test func `a socket nobody answers at is replaced, a living one is not`() throws {
        let office = try Office()
        #expect(throws: ControlSocketError.inUse(path: office.path)) { try ControlSocket.listen(path: office.path) }
        office.server.close()
        let again = try ControlSocket.listen(path: office.path)
        close(again)
    }

    @Test func `a path of any length works, for this user alone`() throws {
        let office = try Office(
            subdirectory: String(repeating: "a", count: 100) + "/" + String(repeating: "b", count: 100))
        var info = stat()
        #expect(stat(office.path, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        #expect(throws: ControlSocketError.inUse(path: office.path)) { try ControlSocket.listen(path: office.path) }
    }

    @Test func `a beacon tells where the project runs, and there is one for each`() throws {
        let loop = try EventLoop()
        let identity = "test-\(getpid())"
        let beacon = try #require(try ProjectBeacon(loop: loop, identity: identity, stateDirectory: "/state/here"))
        #expect(try ProjectBeacon(loop: loop, identity: identity, stateDirectory: "/else") == nil)
        let client = orch_unix_connect_name(BeaconName.of(identity: identity, uid: geteuid()))
        try #require(client >= 0)
        defer { close(client) }
        try loop.turn()
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(client, &buffer, buffer.count)
        #expect(String(decoding: buffer[..<max(0, count)], as: UTF8.self) == "/state/here")
        withExtendedLifetime(beacon) {}
    }

    @Test func `clients past the limit are told so, and those that are there go on`() throws {
        orch_raise_descriptor_limit()
        let office = try Office()
        var clients: [Int32] = []
        defer { clients.forEach { close($0) } }
        for _ in 0..<512 { clients.append(try office.connect()) }
        clients.append(try office.connect())
        // Who asks first and listens then is no worse off.
        try office.send(WireFormat.request(HurryUp.self, id: 1, .init(pace: .noGrace)), on: clients[512])
        #expect(
            office.receive(on: clients[512]).contains(
                "has 512 clients and takes no more: 512 of them are the process with pid \(getpid())"))
        #expect(office.server.connectionCount == 512)
        office.desk.answers = { _ in .success(.hurry(.init())) }
        try office.send(WireFormat.request(HurryUp.self, id: 2, .init(pace: .noGrace)), on: clients[0])
        #expect(office.receive(on: clients[0]).contains(#""id":2"#))
    }

    @Test func `who asks without reading the answers is let go of`() throws {
        let office = try Office()
        let project = ProjectReport(
            project: String(repeating: "p", count: 1 << 20), identity: "p", directory: "/", manifest: "/m",
            stateDirectory: "/s", phase: .running)
        office.desk.answers = { _ in .success(.status(project)) }
        let client = try office.connect()
        defer { close(client) }
        let requests = (1...200).flatMap { WireFormat.request(Status.self, id: Int64($0), .init()) }
        try office.send(requests, on: client)
        // Not all were carried out: what it would not read was not made.
        #expect(office.desk.requests.count < 100)
        #expect(office.server.connectionCount == 0)
    }
}
