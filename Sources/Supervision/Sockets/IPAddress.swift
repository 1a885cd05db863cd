import Glibc

/// A numeric IPv4 or IPv6 address.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    package enum Family: Hashable, Sendable {
        case v4, v6

        var number: Int32 {
            switch self {
            case .v4: AF_INET
            case .v6: AF_INET6
            }
        }
    }

    package let family: Family
    /// 4 or 16, in network order.
    package let bytes: [UInt8]

    package static let loopback4 = IPAddress(family: .v4, bytes: [127, 0, 0, 1])
    package static let loopback6 = IPAddress(family: .v6, bytes: [UInt8](repeating: 0, count: 15) + [1])

    private init(family: Family, bytes: [UInt8]) {
        self.family = family
        self.bytes = bytes
    }

    /// Reads `127.0.0.1`, `::1`, `[::1]`, and `localhost` as the first of them. No other name is looked up.
    package init?(parsing text: String) {
        if text == "localhost" {
            self = .loopback4
            return
        }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        for family in [Family.v4, .v6] {
            var bytes = [UInt8](repeating: 0, count: family == .v4 ? 4 : 16)
            if inet_pton(family.number, bare, &bytes) == 1 {
                self.init(family: family, bytes: bytes)
                return
            }
        }
        return nil
    }

    package var description: String {
        switch family {
        case .v4: return bytes.map(String.init).joined(separator: ".")
        case .v6:
            var text = [CChar](repeating: 0, count: 64)
            guard inet_ntop(AF_INET6, bytes, &text, 64) != nil else { return "?" }
            return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "?" }
        }
    }

    package var isAny: Bool { bytes.allSatisfy { $0 == 0 } }

    package var isLoopback: Bool {
        switch family {
        case .v4: bytes[0] == 127
        case .v6: self == .loopback6
        }
    }

    /// Where a client of a server bound here connects to: any address means the loopback one.
    package var reachable: IPAddress {
        guard isAny else { return self }
        return family == .v4 ? .loopback4 : .loopback6
    }

    /// Calls with the address as the kernel takes it.
    func withSocketAddress<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
            return withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
            return withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
    }
}
