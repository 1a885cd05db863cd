/// A Linux signal by its number (x86 and ARM numbering).
package struct Signal: Hashable, Codable, Sendable, CustomStringConvertible {
    package var number: Int32

    package init(number: Int32) { self.number = number }

    package static let hangup = Signal(number: 1)
    package static let interrupt = Signal(number: 2)
    package static let quit = Signal(number: 3)
    package static let kill = Signal(number: 9)
    package static let terminate = Signal(number: 15)

    private static let names: [String] = [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]

    /// Other names of the same signals.
    private static let aliases: [(name: String, number: Int32)] = [("IOT", 6), ("CLD", 17), ("POLL", 29)]

    /// Those that glibc leaves to programs.
    private static let realTime: ClosedRange<Int32> = 34...64

    /// Reads `SIGTERM`, `TERM`, `sigterm` or `15`. Real-time signals by number, 34…64, or from either end: `SIGRTMIN`,
    /// `SIGRTMIN+1`, `SIGRTMAX-1`.
    package init?(parsing text: String) {
        if let number = Int32(text) {
            guard (1...31).contains(number) || Self.realTime.contains(number) else { return nil }
            self.number = number
            return
        }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        guard !name.isEmpty else { return nil }
        let plain = Self.names.firstIndex(of: name).map { Int32($0) }
        guard let number = plain ?? Self.aliases.first(where: { $0.name == name })?.number ?? Self.realTime(name) else {
            return nil
        }
        self.number = number
    }

    private static func realTime(_ name: String) -> Int32? {
        let (end, sign): (Int32, Character)
        switch name.prefix(5) {
        case "RTMIN": (end, sign) = (realTime.lowerBound, "+")
        case "RTMAX": (end, sign) = (realTime.upperBound, "-")
        default: return nil
        }
        let distance = name.dropFirst(5)
        guard !distance.isEmpty else { return end }
        let digits = distance.dropFirst()
        guard distance.first == sign, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let count = Int32(digits), count < realTime.count
        else { return nil }
        return sign == "+" ? end + count : end - count
    }

    package var description: String {
        (1..<Int32(Self.names.count)).contains(number) ? "SIG" + Self.names[Int(number)] : "signal \(number)"
    }

    /// The names that can be written in a manifest, without `SIG`.
    package static var knownNames: [String] { names.dropFirst() + aliases.map(\.name) + ["RTMIN", "RTMAX"] }
}

/// How a process ended.
package enum ExitStatus: Hashable, Codable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Signal)
    /// The kernel killed it, as there was no more memory for it.
    case outOfMemory
    /// It ended while nobody could look: its parent was gone and the kernel kept no record.
    case unknown

    package var description: String {
        switch self {
        case .code(let code): "exit \(code)"
        case .signal(let signal): "\(signal)"
        case .outOfMemory: "SIGKILL by the kernel, out of memory"
        case .unknown: "exit status unknown"
        }
    }

    /// As a shell shows it: the code, or 128 plus the signal.
    package var shellCode: Int32 {
        switch self {
        case .code(let code): code
        case .signal(let signal): 128 + signal.number
        case .outOfMemory: 128 + Signal.kill.number
        case .unknown: 1
        }
    }
}

/// The step at which a start failed, in the order they are taken.
package enum SpawnStep: String, Hashable, Codable, Sendable, CaseIterable {
    case reference, environment, port, log, cgroup, fork, session, limits, identity, directory, descriptors, execute
}

/// Why a process could not be started.
package struct SpawnFailure: Hashable, Codable, Sendable, Error {
    package var step: SpawnStep
    /// A sentence: what could not be done, with what, and why.
    package var message: String
    /// 0 when no system call failed.
    package var errno: Int32

    package init(step: SpawnStep, message: String, errno: Int32 = 0) {
        self.step = step
        self.message = message
        self.errno = errno
    }
}

/// One life of one instance: the n-th start since the project was first brought up. Never reused.
package struct Incarnation: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package var number: UInt64

    package init(_ number: UInt64) { self.number = number }

    package static func < (left: Incarnation, right: Incarnation) -> Bool { left.number < right.number }

    package var description: String { "#\(number)" }
}
