import Glibc

/// Turns a host into an address: at once where it is numeric or `localhost`, else on a thread of its own, as the
/// system's resolver may block.
final class NameLookup {
    enum Answer: Sendable {
        case address(IPAddress)
        case failure(String)
    }

    private struct Letter: Sendable {
        var number: Int
        var answer: Answer
    }

    private final class Waiting { var handlers: [Int: (Answer) -> Void] = [:] }

    private let waiting = Waiting()
    private let mailbox: Mailbox<Letter>
    private var count = 0

    init(loop: EventLoop) {
        let waiting = waiting
        mailbox = loop.mailbox(of: Letter.self) { letter in
            waiting.handlers.removeValue(forKey: letter.number)?(letter.answer)
        }
    }

    /// Answers a number to cancel by, or nil when the handler was called already.
    func resolve(_ host: String, handler: @escaping (Answer) -> Void) -> Int? {
        if let address = IPAddress(parsing: host) {
            handler(.address(address.reachable))
            return nil
        }
        count += 1
        let number = count
        waiting.handlers[number] = handler
        let mailbox = mailbox
        do throws(SystemError) {
            let thread = try WorkerThread(name: "name lookup") {
                mailbox.send(Letter(number: number, answer: Self.ask(host)))
            }
            thread.detach()
            return number
        } catch {
            waiting.handlers[number] = nil
            handler(.failure("\(error)"))
            return nil
        }
    }

    func cancel(_ number: Int) { waiting.handlers[number] = nil }

    private static func ask(_ host: String) -> Answer {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(host, nil, &hints, &list)
        guard failure == 0, let first = list else {
            let reason = gai_strerror(failure).map { String(cString: $0) } ?? "error \(failure)"
            return .failure("cannot find the host '\(host)': \(reason)")
        }
        defer { freeaddrinfo(list) }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let named = getnameinfo(
            first.pointee.ai_addr, first.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        let numeric = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        guard named == 0, let address = IPAddress(parsing: numeric) else {
            return .failure("cannot find the host '\(host)'")
        }
        return .address(address)
    }
}
