import Glibc

/// One request and its response over a connection of its own. Calls back once, unless cancelled.
final class HTTPExchange {
    enum Outcome {
        case response(status: Int, body: [UInt8])
        /// A sentence without its subject: `closed the connection without an answer`.
        case failure(String)
    }

    private let connection: StreamConnection
    private let address: IPAddress
    private let port: UInt16
    private var unsent: ArraySlice<UInt8>
    private var parser: HTTPResponseParser
    private var finished: ((Outcome) -> Void)?

    /// Nil: the request can't be written without becoming another one.
    init?(
        loop: EventLoop, request: HTTPRequest, host: String, address: IPAddress, port: UInt16, keepsBody: Bool
    ) {
        guard let bytes = request.bytes(host: host, port: port) else { return nil }
        unsent = bytes[...]
        parser = HTTPResponseParser(method: request.method, keepsBody: keepsBody)
        connection = StreamConnection(loop: loop)
        self.address = address
        self.port = port
    }

    /// May call back before it returns.
    func start(finished: @escaping (Outcome) -> Void) {
        self.finished = finished
        proceed(connection.connect(to: address, port: port) { [unowned self] in proceed($0) })
    }

    func cancel() {
        finished = nil
        connection.close()
    }

    private func proceed(_ progress: StreamConnection.Progress) {
        switch progress {
        case .waiting: return
        case .failed(let error): finish(.failure(error.message))
        case .connected: exchange()
        }
    }

    private func exchange() {
        do throws(SystemError) {
            while !unsent.isEmpty {
                let count = try connection.send(unsent)
                if count == 0 { break }
                unsent = unsent.dropFirst(count)
            }
            try receive()
            guard finished != nil else { return }
            if case .failed(let error)? = connection.listen({ [unowned self] in proceed($0) }) { throw error }
        } catch {
            finish(.failure(error.message))
        }
    }

    private func receive() throws(SystemError) {
        var failure: SystemError?
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { buffer in
            do throws(SystemError) {
                while finished != nil {
                    switch try connection.receive(into: buffer) {
                    case .nothing: return
                    case .closed: take(nil)
                    case .bytes(let count): take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    }
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Nil: the other side closed.
    private func take(_ bytes: UnsafeRawBufferPointer?) {
        do throws(HTTPResponseParser.Malformed) {
            if let bytes { try parser.feed(bytes) } else { try parser.close() }
            guard parser.isComplete else { return }
            finish(.response(status: parser.status, body: parser.body), wasClosed: bytes == nil)
        } catch {
            finish(.failure(error.reason), wasClosed: bytes == nil)
        }
    }

    private func finish(_ outcome: Outcome, wasClosed: Bool = false) {
        connection.close(abruptly: wasClosed)
        let finished = finished
        self.finished = nil
        finished?(outcome)
    }
}
