import Glibc

/// Asks a project's control socket, without a command of ours: what is measured is how soon a supervisor answers.
struct ControlQuestion {
    private let stateDirectory: String

    init?(of sandbox: Sandbox) {
        guard let found = sandbox.stateDirectory else { return nil }
        stateDirectory = found
    }

    /// Milliseconds from `start` until a supervisor that is none of `old` told its state. Nil: not in time.
    func answered(
        byOtherThan old: Set<pid_t>, since start: ContinuousClock.Instant, within seconds: Int = 15
    ) -> Double? {
        let deadline = Deadline(seconds: seconds)
        let isAnswered = deadline.comes(every: 1) {
            let pid = ask(waitingAtMost: deadline.milliseconds ?? 0)?.number("supervisor_pid")
            return pid.map { !old.contains(pid_t($0)) } ?? false
        }
        return isAnswered ? (ContinuousClock.now - start) / .milliseconds(1) : nil
    }

    /// The supervisor's answer to `status`, one line of JSON.
    private func ask(waitingAtMost milliseconds: Int32) -> Substring? {
        let peer = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(peer) }
        guard peer >= 0, connect(peer) else { return nil }
        let question = #"{"jsonrpc":"2.0","id":1,"method":"status","params":{"names":[],"with_usage":false}}"# + "\n"
        guard question.withCString({ send(peer, $0, strlen($0), Int32(MSG_NOSIGNAL)) }) > 0 else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.last != UInt8(ascii: "\n") {
            var entry = pollfd(fd: peer, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, milliseconds) == 1, case let count = read(peer, &chunk, chunk.count), count > 0 else {
                return nil
            }
            bytes += chunk[..<count]
        }
        return Substring(decoding: bytes, as: UTF8.self)
    }

    private func connect(_ peer: Int32) -> Bool {
        // Reached through a descriptor: the path may be longer than an address can be.
        let directory = open(stateDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return false }
        defer { close(directory) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array("/proc/self/fd/\(directory)/control.sock".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(peer, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}

extension Substring {
    /// The text of a key in a line of JSON.
    ///
    /// - Parameter separator: between key and text; an answer for people has spaces.
    package func field(_ key: String, _ separator: String = ":") -> Substring? {
        guard let start = firstRange(of: "\"\(key)\"\(separator)\"")?.upperBound else { return nil }
        return self[start...].prefix { $0 != "\"" }
    }

    package func number(_ key: String) -> Int? {
        guard let start = firstRange(of: "\"\(key)\":")?.upperBound else { return nil }
        return Int(self[start...].prefix { $0.isNumber })
    }
}
