import CProcess
import Glibc
import Reconciliation
import SidecarModel
import Testing

@testable import Supervision

struct ProberTests {
    private let bench: ProbeBench

    init() throws { bench = try ProbeBench() }

    private func own(_ pids: [Int32]) -> SocketOwnership.Subject {
        SocketOwnership.Subject(key: 1, incarnation: Incarnation(1)) { pids }
    }

    @Test func `http: a status in range is a success, another a failure that says both`() throws {
        let good = Server(["HTTP/1.1 204 No Content\r\n\r\n"], closes: false)
        #expect(try bench.http(good, path: "/health?full=1", headers: [("X-Token", "abc")]) == .success)
        #expect(
            good.request
                == "GET /health?full=1 HTTP/1.1\r\nHost: 127.0.0.1:\(good.port)\r\nUser-Agent: orchestrate\r\n"
                + "Accept: */*\r\nConnection: close\r\nX-Token: abc\r\n\r\n")
        let bad = Server(["HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"])
        #expect(try bench.http(bad) == .failure("GET / answered 503, expected 200-399"))
    }

    @Test func `http: a body is read by length, by chunks and to the end, in any pieces`() throws {
        let answers = [
            ["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nstate=", "ready"],
            [
                "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n6;x=y\r\nstate=\r",
                "\n5\r\nready\r\n0\r\nTrailer: 1\r\n\r\n",
            ],
            ["HTTP/1.0 200 OK\n\nstate=rea", "dy"],
            ["HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nstate=ready"],
        ]
        for answer in answers {
            let server = Server(answer)
            #expect(try bench.http(server, body: "state=(ready|busy)$") == .success)
            #expect(
                try bench.http(server, body: "^ok")
                    == .failure("GET / answered 200, but its body does not match '^ok'"))
        }
    }

    @Test func `http: what is no answer is named`() throws {
        let cases: [([String], String)] = [
            (["SSH-2.0-OpenSSH_9.2\r\n"], "does not speak HTTP/1.1: it answered 'SSH-2.0-OpenSSH_9.2'"),
            ([], "closed the connection without an answer"),
            (["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], "closed the connection in the middle of its answer"),
            (["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], "sent an impossible Content-Length"),
            (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], "sent an impossible chunk size"),
            ([String(repeating: "x", count: 70_000)], "sent more than 64 KiB before its body"),
        ]
        for (answer, reason) in cases {
            let server = Server(answer)
            #expect(try bench.http(server) == .failure("127.0.0.1:\(server.port): \(reason)"))
        }
    }

    @Test func `a server that never answers is a timeout, and only once`() throws {
        let server = Server([], closes: false)
        #expect(try bench.http(server, timeout: .milliseconds(20)) == .timeout)
    }

    @Test func `a request that would become another one is refused`() throws {
        let server = Server(["HTTP/1.1 200 OK\r\n\r\n"])
        let outcome = try bench.http(server, headers: [("X", "a\r\nY: b")])
        #expect(outcome == .failure("the request has a control character in its method or headers"))
        #expect(try bench.http(server, path: "/a b\r\n") == .success)
        #expect(server.request.hasPrefix("GET /a%20b%0D%0A HTTP/1.1\r\n"))
    }

    @Test func `tcp: a listener is a success, a free port is refused`() throws {
        let listener = Listener()
        #expect(try bench.outcome(.tcp(host: "localhost", port: listener.port)) == .success)
        let port = listener.port
        listener.stop()
        #expect(
            try bench.outcome(.tcp(host: "127.0.0.1", port: port))
                == .failure("127.0.0.1:\(port): connection refused"))
    }

    @Test func `unix: a socket that listens is a success, however long its path`() throws {
        let directory = TemporaryDirectory()
        let folder = directory.path + "/" + String(repeating: "d", count: 120)
        try Directory.create(folder)
        let path = folder + "/s"
        #expect(try bench.outcome(.unix(path: path)) == .failure("\(path): no such file or directory"))
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(fd) }
        let bound = try UnixAddress(path: path).withSocketAddress { bind(fd, $0, $1) }
        #expect(bound == 0)
        #expect(listen(fd, 4) == 0)
        #expect(try bench.outcome(.unix(path: path), owner: own([getpid()])) == .success)
        guard case .foreign(let owner) = try bench.outcome(.unix(path: path), owner: own([1])) else {
            Issue.record("its owner was not seen")
            return
        }
        #expect(owner.hasPrefix("pid \(getpid()) ("))
    }

    @Test func `file: it must be there, of this life, and fresh enough`() {
        let directory = TemporaryDirectory()
        let path = directory.path + "/ready"
        let start = WallTime.now
        var check = FileCheck(path: path, startedAt: start, maxAge: .seconds(60))
        #expect(check.outcome(at: start) == .failure("\(path): no such file or directory"))
        directory.write("ready", "")
        #expect(check.outcome(at: .now) == .success)
        let later = WallTime(microseconds: start.microseconds + 90_000_000)
        #expect(
            check.outcome(at: later) == .failure("\(path) was last changed 90 s ago, more than max_age")
                || check.outcome(at: later) == .failure("\(path) was last changed 89 s ago, more than max_age"))
        check.startedAt = later
        #expect(check.outcome(at: later) == .failure("\(path) is older than this start of the sidecar"))
    }

    @Test func `exec: its answer is the outcome, and its time limit ends it`() throws {
        #expect(
            try bench.outcome(
                .exec { finished in
                    finished(nil)
                    return {}
                }) == .success)
        #expect(
            try bench.outcome(
                .exec { finished in
                    finished("exit 2")
                    return {}
                }) == .failure("exit 2"))
        var ended = false
        #expect(try bench.outcome(.exec { _ in { ended = true } }, timeout: .milliseconds(5)) == .timeout)
        #expect(ended)
    }

    @Test func `a cancelled check does not answer`() throws {
        let server = Server([], closes: false)
        var answered = false
        let request = ProbeRequest(
            .http(.init(host: "127.0.0.1", port: server.port, request: HTTPRequest(path: "/"))),
            timeout: .milliseconds(5))
        let check = bench.prober.run(request) { _ in answered = true }
        bench.prober.cancel(check)
        _ = bench.loop.schedule(at: bench.loop.now + .milliseconds(10)) { [loop = bench.loop] in loop.stop() }
        try bench.loop.run()
        #expect(!answered)
    }

    @Test func `a socket of ours is a success, a stranger's is named, one that can't be seen is unverified`() throws {
        let listener = Listener()
        let check = ProbeRequest.Check.tcp(host: "127.0.0.1", port: listener.port)
        #expect(try bench.outcome(check, owner: own([getpid()])) == .success)
        let other = try ProbeBench()
        guard case .foreign(let owner) = try other.outcome(check, owner: own([getppid()])) else {
            Issue.record("the stranger was not seen")
            return
        }
        #expect(owner.hasPrefix("pid \(getpid()) ("))
        #expect(try ProbeBench().outcome(check, owner: own([])) == .unverified)
    }

    @Test func `a new incarnation is asked about again`() throws {
        let listener = Listener()
        let ownership = SocketOwnership()
        var asked = 0
        func outcome(_ incarnation: UInt64) -> ProbeOutcome {
            let subject = SocketOwnership.Subject(key: 1, incarnation: Incarnation(incarnation)) {
                asked += 1
                return [getpid()]
            }
            return ownership.outcome(subject, address: .loopback4, port: listener.port)
        }
        #expect([outcome(1), outcome(1), outcome(1)] == [.success, .success, .success])
        #expect(asked == 1)
        #expect(outcome(2) == .success)
        #expect(asked == 2)
    }

    @Test func `a listener on any address is found through a real one`() throws {
        let six = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(six) }
        #expect(listen(six, 4) == 0)
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(six, $0, &length) }
        }
        #expect(named == 0)
        let port = UInt16(bigEndian: address.sin6_port)
        for host in ["127.0.0.1", "::1", "0.0.0.0", "localhost"] {
            #expect(try bench.outcome(.tcp(host: host, port: port), owner: own([getpid()])) == .success)
        }
    }
}
