import Testing

@testable import Supervision

/// Answers of servers, mutated without end in sight: the parser must take or refuse them, in bounded memory, and the same
/// way however the bytes are cut.
struct HTTPResponseFuzzTests {
    private static let seeds = [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nstate=ready",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;x=y\r\nstate=\r\n5\r\nready\r\n0\r\nTrailer: 1\r\n\r\n",
        "HTTP/1.0 500 Oh\nServer: x\n\nstate=ready",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nfffffffffffffffff\r\n",
    ]

    private struct Generator {
        var state: UInt64

        mutating func next(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
    }

    private enum Verdict: Hashable {
        case whole(Int, [UInt8])
        case malformed(String)
    }

    private func parse(_ bytes: [UInt8], pieces: [Int]) -> Verdict {
        var parser = HTTPResponseParser(method: "GET", keepsBody: true, bodyLimit: 4096)
        do throws(HTTPResponseParser.Malformed) {
            var start = 0
            for end in pieces + [bytes.count] where end >= start {
                try feed(&parser, bytes[start..<end])
                start = end
            }
            try parser.close()
            return .whole(parser.status, parser.body)
        } catch {
            return .malformed(error.reason)
        }
    }

    private func feed(
        _ parser: inout HTTPResponseParser, _ bytes: ArraySlice<UInt8>
    ) throws(HTTPResponseParser.Malformed) {
        var failure: HTTPResponseParser.Malformed?
        bytes.withUnsafeBytes { buffer in
            do throws(HTTPResponseParser.Malformed) { try parser.feed(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    @Test func `a mutated answer is taken or refused alike, however it is cut`() {
        var random = Generator(state: 0x2545_f491_4f6c_dd1d)
        var verdicts: Set<Verdict> = []
        for round in 0..<5000 {
            var bytes = Array(Self.seeds[round % Self.seeds.count].utf8)
            for _ in 0..<random.next(6) {
                let place = random.next(bytes.count)
                switch random.next(4) {
                case 0: bytes[place] = UInt8(random.next(256))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(contentsOf: bytes[place...].prefix(random.next(20)), at: place)
                default: bytes.insert(Array("\r\n:;0 ".utf8)[random.next(6)], at: place)
                }
                if bytes.isEmpty { bytes = [0] }
            }
            let whole = parse(bytes, pieces: [])
            let cuts = (0..<random.next(8)).map { _ in random.next(bytes.count + 1) }.sorted()
            #expect(parse(bytes, pieces: cuts) == whole)
            if case .whole(let status, let body) = whole {
                #expect((100...999).contains(status))
                #expect(body.count <= 4096)
            }
            verdicts.insert(whole)
        }
        // It reached more than the first check.
        #expect(verdicts.count > 50)
    }

    @Test func `a body over the limit ends the answer there`() {
        let endless = "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 10_000)
        #expect(parse(Array(endless.utf8), pieces: [1000, 5000]) == .whole(200, [UInt8](repeating: 0x78, count: 4096)))
    }
}
