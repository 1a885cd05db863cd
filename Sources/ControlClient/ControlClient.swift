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

    /// Nil when no supervisor answers at that socket.
    package init?(socketPath: String) throws(ControlError) {
        guard let descriptor = try ClientSocket.connect(path: socketPath) else { return nil }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    // MARK: Asking

    /// A request that can be sent at once.
    package struct Prepared<Operation: ControlOperation>: Sendable {
        fileprivate let parameters: [UInt8]

        package init(_: Operation.Type, _ parameters: Operation.Parameters) {
            self.parameters = WireFormat.parameters(parameters)
        }
    }

    /// Sends a request and waits for its answer; events that come meanwhile are kept for `receive()`.
    /// - Parameter timeout: nil waits for as long as it takes.
    package func call<Operation: ControlOperation>(
        _: Operation.Type, _ parameters: Operation.Parameters, timeout: Duration? = .seconds(30)
    ) throws(ControlError) -> Operation.Answer {
        try answer(to: try send(Operation.self, parameters), of: Operation.self, timeout: timeout)
    }

    /// Waits for the answer to what was sent.
    package func answer<Operation: ControlOperation>(
        to id: Int64, of _: Operation.Type, timeout: Duration? = .seconds(30)
    ) throws(ControlError) -> Operation.Answer {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            if let index = arrived.firstIndex(where: { $0.isReply(to: id) }),
                case .reply(_, let line) = arrived.remove(at: index)
            {
                return try Self.answer(line, of: Operation.self)
            }
            let rest = deadline.map { $0 - ContinuousClock.now }
            if let rest, rest <= .zero {
                throw ControlError(.timeout, "the supervisor did not answer '\(Operation.method)' in time")
            }
            try waitUntilReadable(for: rest)
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
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                try waitUntilWritable()
            } else if errno != EINTR {
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

    private func waitUntilReadable(for duration: Duration?) throws(ControlError) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let milliseconds =
            duration.map {
                max(
                    1, Int32(clamping: $0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000)
                )
            } ?? -1
        poll(&entry, 1, milliseconds)
    }

    private func waitUntilWritable() throws(ControlError) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 30_000) != 0 else {
            throw ControlError(.timeout, "the supervisor does not read what it is asked")
        }
    }
}

extension ControlClient.Incoming {
    fileprivate func isReply(to wanted: Int64) -> Bool {
        if case .reply(wanted, _) = self { return true }
        return false
    }
}
