import CProcess
package import ControlAPI
import Glibc

/// A connection to a project's supervisor. Used by one thread; nothing runs behind its back.
package final class ControlClient {
    /// What came in that nobody waited for.
    package enum Incoming: Sendable {
        case event(EventMessage)
        /// The answer to a request that was sent without waiting, as `answer(_:of:)` reads it.
        case reply(id: Int64, line: [UInt8])
    }

    /// To be polled for reading; then `receive()`.
    package let descriptor: Int32
    private var framing = LineFraming(limit: 256 << 20)
    private var lastID: Int64 = 0
    private var arrived: [Incoming] = []
    private let patience: Patience

    /// Nil when no supervisor answers at that socket.
    package init?(socketPath: String, patience: Patience = Patience()) throws(ControlError) {
        guard let descriptor = try ClientSocket.connect(path: socketPath, patience) else { return nil }
        self.descriptor = descriptor
        self.patience = patience
    }

    deinit { close(descriptor) }

    /// Who listens at the other end. Nil: it is in another PID namespace.
    package var supervisorPID: Int32? {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        return loop_peer_credentials(descriptor, &pid, &uid, &gid) == 0 && pid > 0 ? pid : nil
    }

    // MARK: Asking

    /// A request that can be sent at once.
    package struct Prepared<Operation: ControlOperation>: Sendable {
        fileprivate let parameters: [UInt8]

        package init(_: Operation.Type, _ parameters: Operation.Parameters) {
            self.parameters = WireFormat.parameters(parameters)
        }
    }

    /// Sends a request and waits for its answer; events that come meanwhile are kept for `receive()`.
    package func call<Operation: ControlOperation>(
        _: Operation.Type, _ parameters: Operation.Parameters, for time: Patience.Wait = .usual
    ) throws(ControlError) -> Operation.Answer {
        try answer(to: try send(Operation.self, parameters), of: Operation.self, for: time)
    }

    /// Waits for the answer to what was sent.
    package func answer<Operation: ControlOperation>(
        to id: Int64, of _: Operation.Type, for time: Patience.Wait = .usual
    ) throws(ControlError) -> Operation.Answer {
        let wait = patience.begin(time)
        while true {
            if let index = arrived.firstIndex(where: { $0.isReply(to: id) }),
                case .reply(_, let line) = arrived.remove(at: index)
            {
                return try Self.answer(line, of: Operation.self)
            }
            try waitFor(POLLIN, wait, "answered '\(Operation.method)'")
            do throws(ControlError) {
                try takeIn()
            } catch {
                // Its answer may have been the last thing it sent.
                guard arrived.contains(where: { $0.isReply(to: id) }) else { throw error }
            }
        }
    }

    /// Sends a request whose answer comes by `receive()`, or is waited for by its number.
    @discardableResult
    package func send<Operation: ControlOperation>(
        _: Operation.Type, _ parameters: Operation.Parameters
    ) throws(ControlError) -> Int64 {
        try send(Prepared(Operation.self, parameters))
    }

    package func send<Operation: ControlOperation>(_ request: Prepared<Operation>) throws(ControlError) -> Int64 {
        lastID += 1
        let bytes = WireFormat.request(Operation.self, id: lastID, encoded: request.parameters)
        guard bytes.count < ControlLimits.requestBytes else {
            throw ControlError(
                .requestTooLarge,
                "the request is larger than \(ControlLimits.requestBytes >> 20) MiB: "
                    + "is the environment that large?")
        }
        let wait = patience.begin()
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                try waitFor(POLLOUT, wait, "read what it is asked")
            } else if errno != EINTR {
                // Why it is not listened to may have been said before.
                try takeIn()
                throw Self.lost
            }
        }
        return lastID
    }

    package static func answer<Operation: ControlOperation>(
        _ line: [UInt8], of _: Operation.Type
    ) throws(ControlError) -> Operation.Answer {
        try WireFormat.answer(line, of: Operation.self)
    }

    // MARK: Listening

    /// Whether `receive()` has something without looking at the socket.
    package var hasArrived: Bool { !arrived.isEmpty }

    /// Everything that has come in, without waiting. Throws `noSupervisor` when the connection is over, after all that
    /// came before was handed out.
    package func receive() throws(ControlError) -> [Incoming] {
        do {
            try takeIn()
        } catch {
            if arrived.isEmpty { throw error }
        }
        defer { arrived.removeAll() }
        return arrived
    }

    private static let lost = ControlError(.noSupervisor, "the supervisor closed the connection")

    private func takeIn() throws(ControlError) {
        while true {
            var pieces: [LineFraming.Piece] = []
            let count = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count > 0 { pieces = framing.append(UnsafeRawBufferPointer(buffer)[..<count]) }
                return count
            }
            for case .line(let line) in pieces { try sort(line) }
            if count == 0 { throw Self.lost }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN { return }
                throw Self.lost
            }
        }
    }

    private func sort(_ line: ArraySlice<UInt8>) throws(ControlError) {
        switch try WireFormat.serverMessage(line) {
        case .event(let message):
            arrived.append(.event(message))
        case .reply(let id?):
            arrived.append(.reply(id: id, line: Array(line)))
        case .reply(nil):
            // A refusal before the request could be read, such as one of another user: it ends every wait.
            _ = try WireFormat.answer(line, of: Hello.self)
        }
    }

    private func waitFor(_ event: Int32, _ wait: Patience.Running, _ what: String) throws(ControlError) {
        let rest = try patience.rest(of: wait, Silence(of: supervisorPID, what))
        var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        poll(&entry, 1, max(1, Int32(rest / .milliseconds(1))))
    }
}

extension ControlClient.Incoming {
    fileprivate func isReply(to wanted: Int64) -> Bool {
        if case .reply(wanted, _) = self { return true }
        return false
    }
}
