/// Reads one HTTP/1.x response as it arrives, in pieces of any size. Everything is bounded.
struct HTTPResponseParser {
    struct Malformed: Error, Hashable {
        var reason: String
    }

    private enum State {
        case statusLine, headers
        case body(left: Int)
        case untilClose
        case chunkSize
        case chunk(left: Int)
        /// The line end after a chunk.
        case chunkEnd
        case trailers
        case complete
    }

    private static let headLimit = 64 << 10

    private(set) var status = 0
    private(set) var body: [UInt8] = []
    private let hasNoBody: Bool
    private let keepsBody: Bool
    private let bodyLimit: Int
    private var state = State.statusLine
    private var line: [UInt8] = []
    private var headSize = 0
    private var bodySize = 0
    private var contentLength: Int?
    private var isChunked = false

    /// A body is read to its end or `bodyLimit`, which ends the response; it is kept only where someone will look at it.
    init(method: String, keepsBody: Bool, bodyLimit: Int = 1 << 20) {
        hasNoBody = method == "HEAD"
        self.keepsBody = keepsBody
        self.bodyLimit = bodyLimit
    }

    var isComplete: Bool { if case .complete = state { true } else { false } }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(Malformed) {
        var rest = bytes[...]
        while !rest.isEmpty, !isComplete {
            switch state {
            case .statusLine, .headers, .chunkSize, .chunkEnd, .trailers:
                guard try takeLine(&rest) else { return }
                try read(line: line)
            case .body(let left):
                let count = take(&rest, left)
                state = count == left ? .complete : .body(left: left - count)
            case .chunk(let left):
                let count = take(&rest, left)
                state = count == left ? .chunkEnd : .chunk(left: left - count)
            case .untilClose: _ = take(&rest, rest.count)
            case .complete: return
            }
            if bodySize >= bodyLimit { state = .complete }
        }
    }

    /// The connection was closed.
    mutating func close() throws(Malformed) {
        switch state {
        case .complete: return
        case .untilClose: state = .complete
        case .statusLine where line.isEmpty && headSize == 0:
            throw Malformed(reason: "closed the connection without an answer")
        case .statusLine, .headers, .body, .chunkSize, .chunk, .chunkEnd, .trailers:
            throw Malformed(reason: "closed the connection in the middle of its answer")
        }
    }

    private mutating func take(_ rest: inout Slice<UnsafeRawBufferPointer>, _ wanted: Int) -> Int {
        let count = min(rest.count, wanted)
        if keepsBody { body += rest.prefix(min(count, bodyLimit - body.count)) }
        bodySize += count
        rest = rest.dropFirst(count)
        return count
    }

    /// True when `line` is whole; without its line end.
    private mutating func takeLine(_ rest: inout Slice<UnsafeRawBufferPointer>) throws(Malformed) -> Bool {
        let newline = rest.firstIndex(of: 0x0a)
        let part = rest[..<(newline ?? rest.endIndex)]
        headSize += part.count + 1
        guard headSize <= Self.headLimit else { throw Malformed(reason: "sent more than 64 KiB before its body") }
        line += part
        rest = rest[(newline.map { $0 + 1 } ?? rest.endIndex)...]
        guard newline != nil else { return false }
        if line.last == 0x0d { line.removeLast() }
        return true
    }

    private mutating func read(line text: [UInt8]) throws(Malformed) {
        line.removeAll(keepingCapacity: true)
        switch state {
        case .statusLine: try readStatus(text)
        case .headers: if text.isEmpty { try endHeaders() } else { try readHeader(text) }
        case .chunkSize: try readChunkSize(text)
        case .chunkEnd:
            guard text.isEmpty else { throw Malformed(reason: "sent a chunk longer than it said") }
            state = .chunkSize
        case .trailers: if text.isEmpty { state = .complete }
        case .body, .chunk, .untilClose, .complete: break
        }
    }

    private mutating func readStatus(_ text: [UInt8]) throws(Malformed) {
        // HTTP/1.1 200 OK
        guard text.count >= 12, text.starts(with: "HTTP/1.".utf8), text[8] == 0x20,
            let code = Self.number(text[9..<12], radix: 10), code >= 100, text.count == 12 || text[12] == 0x20
        else {
            let start = String(decoding: text.prefix(40).map { $0 < 0x20 || $0 > 0x7e ? 0x2e : $0 }, as: UTF8.self)
            throw Malformed(reason: "does not speak HTTP/1.1: it answered '\(start)'")
        }
        status = code
        state = .headers
    }

    private mutating func readHeader(_ text: [UInt8]) throws(Malformed) {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else {
            throw Malformed(reason: "sent a header without a colon")
        }
        let name = text[..<colon].map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
        let value = text[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
        if name.elementsEqual("content-length".utf8) {
            let digits = value.prefix { $0 != 0x20 && $0 != 0x09 }
            guard let length = Self.number(digits, radix: 10), contentLength == nil || contentLength == length else {
                throw Malformed(reason: "sent an impossible Content-Length")
            }
            contentLength = length
        } else if name.elementsEqual("transfer-encoding".utf8) {
            let lowered = String(decoding: value, as: UTF8.self).lowercased()
            isChunked = lowered.trimmed.hasSuffix("chunked")
        }
    }

    private mutating func endHeaders() throws(Malformed) {
        if (100..<200).contains(status), status != 101 {
            // Something like `103 Early Hints`: the answer follows.
            state = .statusLine
            contentLength = nil
            isChunked = false
        } else if hasNoBody || status == 101 || status == 204 || status == 304 {
            state = .complete
        } else if isChunked {
            state = .chunkSize
        } else if let contentLength {
            state = contentLength == 0 ? .complete : .body(left: contentLength)
        } else {
            state = .untilClose
        }
    }

    private mutating func readChunkSize(_ text: [UInt8]) throws(Malformed) {
        let digits = text.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }
        guard let size = Self.number(digits, radix: 16) else {
            throw Malformed(reason: "sent an impossible chunk size")
        }
        // Sizes and trailers are bounded by the body's own limit, not by that of the head.
        headSize = 0
        state = size == 0 ? .trailers : .chunk(left: size)
        bodySize += 1
    }

    /// Only digits, at most 15 of them.
    private static func number(_ digits: some Collection<UInt8>, radix: Int) -> Int? {
        guard (1...15).contains(digits.count), digits.allSatisfy({ isDigit($0, radix: radix) }) else { return nil }
        return Int(String(decoding: digits, as: UTF8.self), radix: radix)
    }

    private static func isDigit(_ byte: UInt8, radix: Int) -> Bool {
        switch byte {
        case 0x30...0x39: true
        case 0x41...0x46, 0x61...0x66: radix == 16
        default: false
        }
    }
}
