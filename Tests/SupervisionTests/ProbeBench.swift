import CProcess
import Glibc
import Reconciliation
import SidecarModel
import Supervision

/// Runs checks on a loop of its own until they answer.
final class ProbeBench {
    let loop: EventLoop
    let prober: Prober

    init() throws {
        loop = try EventLoop()
        prober = Prober(loop: loop)
    }

    func outcome(
        _ check: ProbeRequest.Check, timeout: Duration = .seconds(5), owner: SocketOwnership.Subject? = nil
    ) throws -> ProbeOutcome {
        var result: ProbeOutcome?
        _ = prober.run(ProbeRequest(check, timeout: timeout, owner: owner)) { [loop] outcome in
            result = outcome
            loop.stop()
        }
        while result == nil { try loop.run() }
        return result ?? .timeout
    }

    func http(
        _ server: Server, path: String = "/", body: String? = nil, timeout: Duration = .seconds(5),
        method: String = "GET", headers: [(name: String, value: String)] = []
    ) throws -> ProbeOutcome {
        let request = HTTPRequest(method: method, path: path, headers: headers)
        let expression = try body.map { text throws(RegularExpression.Malformed) in try RegularExpression(text) }
        return try outcome(
            .http(.init(host: "127.0.0.1", port: server.port, request: request, body: expression)), timeout: timeout)
    }
}

/// Answers every connection with the same bytes, in the pieces given, and keeps what it was asked.
final class Server {
    let port: UInt16
    private let listener: Listener
    private let stopPipe: Int32
    private let thread: TestThread
    private let asked: Asked

    private final class Asked: @unchecked Sendable {
        // Written by the server's thread, read after it was joined or after its answer arrived.
        var text = ""
    }

    var request: String { asked.text }

    init(_ pieces: [String], closes: Bool = true) {
        listener = Listener()
        port = listener.port
        var ends: [Int32] = [0, 0]
        _ = loop_pipe(&ends)
        stopPipe = ends[1]
        let (listening, stopped) = (listener.descriptor, ends[0])
        let asked = Asked()
        self.asked = asked
        thread = TestThread {
            var open: [Int32] = []
            while true {
                var waiting = [
                    pollfd(fd: listening, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: stopped, events: Int16(POLLIN | POLLHUP), revents: 0),
                ]
                poll(&waiting, 2, -1)
                if waiting[1].revents != 0 { break }
                let connection = accept(listening, nil, nil)
                var buffer = [UInt8](repeating: 0, count: 4096)
                let count = read(connection, &buffer, 4096)
                asked.text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
                for piece in pieces { sendAll(piece, connection) }
                if closes { close(connection) } else { open.append(connection) }
            }
            for connection in open { close(connection) }
            close(stopped)
        }
    }

    deinit {
        close(stopPipe)
        thread.join()
    }
}

private func sendAll(_ text: String, _ fd: Int32) {
    var text = text
    text.withUTF8 { _ = send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
}
