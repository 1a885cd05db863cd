import Reconciliation

/// An `http://` URL that is told of something.
package struct Webhook: Hashable, Sendable {
    package var host: String
    package var port: UInt16
    /// With the query.
    package var path: String

    /// Reads `http://host[:port][/path]`. Nil for anything else; a fragment is dropped, a user name refused.
    package init?(url: String) {
        let prefix = "http://"
        guard url.lowercased().hasPrefix(prefix) else { return nil }
        let rest = url.dropFirst(prefix.count).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(authority.count)
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        var host = authority
        var port: UInt16 = 80
        // The colons of an IPv6 address stand in brackets.
        let afterBracket = authority.lastIndex(of: "]").map { authority.index(after: $0) } ?? authority.startIndex
        if let colon = authority[afterBracket...].firstIndex(of: ":") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else { return nil }
            port = number
            host = authority[..<colon]
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
    }
}

extension Prober {
    /// Posts the JSON. Answers nil when the receiver took it (2xx), else what went wrong, as a sentence.
    package func post(
        _ json: [UInt8], to webhook: Webhook, timeout: Duration, answer: @escaping (String?) -> Void
    ) -> CheckID {
        let request = HTTPRequest(
            method: "POST", path: webhook.path, headers: [("Content-Type", "application/json")], body: json)
        let http = ProbeRequest.HTTP(host: webhook.host, port: webhook.port, request: request, status: 200...299)
        return run(ProbeRequest(.http(http), timeout: timeout)) { outcome in
            switch outcome {
            case .success, .unverified: answer(nil)
            case .failure(let reason): answer(reason)
            case .foreign(let owner): answer("answered by \(owner)")
            case .timeout: answer("\(webhook.host):\(webhook.port) did not answer within \(timeout)")
            }
        }
    }
}
