import Glibc
import SidecarModel
import Testing

@testable import Supervision

struct NotifySocketTests {
    /// Sends as sd_notify does.
    private func send(_ text: String, to address: String) {
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(fd) }
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        var name = Array(address.utf8)
        if name.first == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: name) }
        _ = withUnsafePointer(to: target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                text.withCString { sendto(fd, $0, strlen($0), 0, address, socklen_t(2 + name.count)) }
            }
        }
    }

    @Test func `a datagram arrives with the pid the kernel vouches for`() throws {
        let directory = TemporaryDirectory()
        let loop = try EventLoop()
        var got: [SidecarNotification] = []
        var sender: Int32 = 0
        let notify = try NotifySocket(loop: loop, path: directory.path + "/notify") { pid, messages in
            sender = pid
            got += messages
            loop.stop()
        }
        #expect(notify.environmentValue == directory.path + "/notify")
        send("STATUS=warm\nREADY=1\nMAINPID=1\n", to: notify.environmentValue)
        try loop.run()
        #expect(got == [.status("warm"), .ready])
        #expect(sender == getpid())
    }

    @Test func `a path over the kernel's limit gets a name every sender can use`() throws {
        let directory = TemporaryDirectory()
        let folder = directory.path + "/" + String(repeating: "n", count: 120)
        try Directory.create(folder)
        let loop = try EventLoop()
        var got: [SidecarNotification] = []
        let notify = try NotifySocket(loop: loop, path: folder + "/notify") { _, messages in
            got += messages
            loop.stop()
        }
        send("EXTEND_TIMEOUT_USEC=2000000", to: notify.environmentValue)
        try loop.run()
        #expect(got == [.extendTimeout(.seconds(2))])
    }

    @Test func `what means nothing here is passed over`() {
        #expect(
            SidecarNotification.parse("READY=0\n\nnonsense\nEXTEND_TIMEOUT_USEC=-1\nSTOPPING=1".utf8) == [.stopping])
    }
}

struct WebhookTests {
    @Test(arguments: [
        ("http://127.0.0.1:9000/alert?x=1#y", "127.0.0.1 9000 /alert?x=1"), ("http://[::1]:81", "[::1] 81 /"),
        ("http://[::1]/", "[::1] 80 /"), ("HTTP://hooks.test?a", "hooks.test 80 /?a"),
    ])
    func `a URL is read`(url: String, parts: String) throws {
        let webhook = try Webhook(url: url)
        #expect("\(webhook.host) \(webhook.port) \(webhook.path)" == parts)
    }

    @Test(arguments: [
        ("https://x/", Webhook.Failure.notHTTP), ("x/", .notHTTP), ("http://", .noHost), ("http://:80/", .noHost),
        ("http://[]/", .noHost), ("http://[::1/", .noHost), ("http://[::1]x:80/", .noHost), ("http://u@x/", .userName),
        ("http://u:p@x:80/", .userName), ("http://x:0/", .port("0")), ("http://x:70000/", .port("70000")),
        ("http://x:/", .port("")), ("http://x:+80/", .port("+80")), ("http://x:80:90/", .port("80:90")),
        ("http://x/a b", .unprintable), ("http://x/\r\nHost: y", .unprintable),
    ])
    func `what is no URL for a webhook is refused with its reason`(url: String, failure: Webhook.Failure) {
        #expect(throws: failure) { try Webhook(url: url) }
    }

    @Test func `a post carries its JSON, and a refusal is a sentence`() throws {
        let bench = try ProbeBench()
        func post(_ server: Server) throws -> String? {
            let hook = try Webhook(url: "http://127.0.0.1:\(server.port)/alert")
            var answer: String??
            _ = bench.prober.post(Array("{\"a\":1}".utf8), to: hook, timeout: .seconds(5)) { [loop = bench.loop] in
                answer = .some($0)
                loop.stop()
            }
            while answer == nil { try bench.loop.run() }
            return answer ?? nil
        }
        let good = Server(["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"])
        #expect(try post(good) == nil)
        #expect(good.request.hasPrefix("POST /alert HTTP/1.1\r\n"))
        #expect(good.request.contains("\r\nContent-Length: 7\r\nContent-Type: application/json\r\n\r\n{\"a\":1}"))
        let bad = Server(["HTTP/1.1 302 Found\r\n\r\n"])
        #expect(try post(bad) == "POST /alert answered 302, expected 200-299")
    }
}

struct ProcessUsageTests {
    @Test func `the fields are found whatever the process is called`() {
        let fields = ["S"] + (4...13).map { _ in "0" } + ["150", "50"] + (16...23).map { _ in "0" } + ["3", "0"]
        let usage = ProcessUsage(stat: Array("42 (a ) b) \(fields.joined(separator: " "))\n".utf8))
        #expect(usage?.cpuTime == .seconds(2))
        #expect(usage?.memory.bytes == 3 * Int64(sysconf(Int32(_SC_PAGESIZE))))
    }

    @Test func `this process uses memory, one that is gone is nil`() {
        #expect((ProcessUsage(pid: getpid())?.memory.bytes ?? 0) > 1 << 20)
        #expect(ProcessUsage(pid: .max) == nil)
    }
}
