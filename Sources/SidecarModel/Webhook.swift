/// An `http://` URL that is told of something.
package struct Webhook: Hashable, Sendable {
    /// Why a text is no such URL.
    package enum Failure: Error, Hashable, Sendable {
        case notHTTP
        case userName
        case noHost
        case port(String)
        case unprintable

        /// A sentence.
        package var reason: String {
            switch self {
            case .notHTTP: "a webhook's address begins with http://"
            case .userName: "a webhook's address holds no user name or password"
            case .noHost: "the address names no host"
            case .port(let text): "'\(text)' is no port"
            case .unprintable: "the address contains a space or a control character"
            }
        }
    }

    package var host: String
    package var port: UInt16
    /// With the query.
    package var path: String

    /// Reads `http://host[:port][/path]`. A fragment is dropped.
    package init(url: String) throws(Failure) {
        let prefix = "http://"
        guard url.lowercased().hasPrefix(prefix) else { throw .notHTTP }
        guard !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else { throw .unprintable }
        let rest = url.dropFirst(prefix.count).prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(authority.count)
        guard !authority.contains("@") else { throw .userName }
        // The colons of an IPv6 address stand in brackets.
        let afterBracket = authority.lastIndex(of: "]").map { authority.index(after: $0) } ?? authority.startIndex
        let colon = authority[afterBracket...].firstIndex(of: ":") ?? authority.endIndex
        let host = authority[..<colon]
        guard !host.isEmpty, host != "[]", host.hasPrefix("[") == host.hasSuffix("]") else { throw .noHost }
        if colon < authority.endIndex {
            let text = authority[authority.index(after: colon)...]
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(text), number > 0 else {
                throw .port(String(text))
            }
            port = number
        } else {
            port = 80
        }
        self.host = String(host)
        self.path = path.hasPrefix("/") ? String(path) : "/" + path
    }
}
