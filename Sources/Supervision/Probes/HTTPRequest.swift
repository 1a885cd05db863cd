/// What is sent: one request per connection.
package struct HTTPRequest: Sendable {
    package var method: String
    /// With its query; a missing slash at the start is added.
    package var path: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(
        method: String = "GET", path: String, headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
    }

    /// The bytes on the wire. Nil: the method or a header holds what would end it and start another.
    func bytes(host: String, port: UInt16) -> [UInt8]? {
        var own: [(name: String, value: String)] = [
            (
                "Host",
                (host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host) + (port == 80 ? "" : ":\(port)")
            ),
            ("User-Agent", "orchestrate"), ("Accept", "*/*"), ("Connection", "close"),
        ]
        if !body.isEmpty { own.append(("Content-Length", "\(body.count)")) }
        let given = Set(headers.map { $0.name.lowercased() })
        let all = own.filter { !given.contains($0.name.lowercased()) } + headers
        guard Self.isToken(method), all.allSatisfy({ Self.isToken($0.name) && Self.isValue($0.value) }) else {
            return nil
        }
        var text = "\(method) \(Self.escaped(path)) HTTP/1.1\r\n"
        for (name, value) in all { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n").utf8) + body
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
    }

    private static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
    }

    private static func escaped(_ path: String) -> String {
        var bytes: [UInt8] = path.hasPrefix("/") ? [] : [UInt8(ascii: "/")]
        let hex = Array("0123456789ABCDEF".utf8)
        for byte in path.utf8 {
            if byte <= 0x20 || byte >= 0x7f {
                bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
