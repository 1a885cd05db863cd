@testable import Supervision

/// libFuzzer's entry: whatever a probed server answers is taken or refused the same way however it is cut, within bounds;
/// and any datagram of a sidecar's is read. Built by `Scripts/fuzz` alone.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzProbes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    for method in ["GET", "HEAD"] {
        let whole = verdict([bytes[...]], method)
        let cut = bytes.first.map { min(count, Int($0)) } ?? 0
        precondition(verdict([bytes[..<cut], bytes[cut...]], method) == whole)
        if case .taken(let status, let body) = whole {
            precondition((100...999).contains(status))
            precondition(body.count <= bodyLimit)
        }
    }
    for case .extendTimeout(let time) in SidecarNotification.parse(bytes) { precondition(time > .zero) }
    return 0
}

private let bodyLimit = 512

private enum Verdict: Hashable {
    case taken(Int, [UInt8])
    case refused(String)
}

private func verdict(_ pieces: [ArraySlice<UInt8>], _ method: String) -> Verdict {
    var parser = HTTPResponseParser(method: method, keepsBody: true, bodyLimit: bodyLimit)
    do throws(HTTPResponseParser.Malformed) {
        for piece in pieces { try feed(&parser, piece) }
        try parser.close()
        return .taken(parser.status, parser.body)
    } catch {
        return .refused(error.reason)
    }
}

private func feed(_ parser: inout HTTPResponseParser, _ bytes: ArraySlice<UInt8>) throws(HTTPResponseParser.Malformed) {
    var failure: HTTPResponseParser.Malformed?
    bytes.withUnsafeBytes { buffer in
        do throws(HTTPResponseParser.Malformed) { try parser.feed(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
}
