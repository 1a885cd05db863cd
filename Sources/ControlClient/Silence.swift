import CProcess

/// That a supervisor does not answer, or its keeper does nothing, as a person is told of it: which process that is, why,
/// and the way out.
package struct Silence {
    private let role: Role
    private let pid: Int32?
    private let what: String

    /// - Parameters:
    ///   - pid: nil where nothing says who it is.
    ///   - what: what it has not done, such as `answered 'status'`.
    package init(of pid: Int32?, _ what: String) {
        self.init(.supervisor, pid, what)
    }

    private init(_ role: Role, _ pid: Int32?, _ what: String) {
        (self.role, self.pid, self.what) = (role, pid, what)
    }

    /// Nil: that keeper is not stopped, and does what it is there for.
    package init?(ofStoppedKeeper pid: Int32?, _ what: String) {
        guard let pid, ProcessState(of: pid) == .stopped else { return nil }
        self.init(.keeper, pid, what)
    }

    package func sentence(after duration: Duration) -> String {
        let start = "\(role.name(pid)) has not \(what) for \(Self.text(duration))"
        return pid.map { "\(start): \(ProcessState(of: $0).explanation(of: role, pid: $0))" } ?? start
    }

    /// Why it would not do anything, though nothing is asked of it at present. Nil: it seems well.
    package static func standstill(of pid: Int32?) -> String? {
        standstill(of: .supervisor, pid)
    }

    /// The same of the keeper, without whom nothing starts, and what ends stays a zombie.
    package static func standstill(ofKeeper pid: Int32?) -> String? { standstill(of: .keeper, pid) }

    private static func standstill(of role: Role, _ pid: Int32?) -> String? {
        guard let pid, ProcessState(of: pid) == .stopped else { return nil }
        return "\(role.name(pid)) does nothing: \(ProcessState.stopped.explanation(of: role, pid: pid))"
    }

    private static func text(_ duration: Duration) -> String {
        duration < .seconds(1)
            ? "\(Int(duration / .milliseconds(1))) ms" : "\(Int((duration / .seconds(1)).rounded())) s"
    }
}

private enum Role: String {
    case supervisor, keeper

    func name(_ pid: Int32?) -> String { "the \(rawValue)" + (pid.map { " with pid \($0)" } ?? "") }
}

/// What the kernel says that a process does.
private enum ProcessState {
    case stopped
    /// In the kernel, where not even SIGKILL ends it.
    case waitingForDisk
    case alive
    case gone

    init(of pid: Int32) {
        var facts = orch_process_facts()
        guard orch_process_look(pid, &facts) == 0 else {
            self = .gone
            return
        }
        switch UnicodeScalar(UInt8(bitPattern: facts.state)) {
        case "T", "t": self = .stopped
        case "D": self = .waitingForDisk
        case "Z", "X": self = .gone
        case _: self = .alive
        }
    }

    func explanation(of role: Role, pid: Int32) -> String {
        let end = "'kill -9 \(pid)' ends it: its keeper starts another, and the sidecars run on"
        return switch self {
        // Without a supervisor, nobody who takes its place may be left: to end a keeper is no way out then.
        case .stopped where role == .keeper: "it is stopped (state T); 'kill -CONT \(pid)' lets it go on"
        case .stopped: "it is stopped (state T)\n'kill -CONT \(pid)' lets it go on. \(end)"
        case .waitingForDisk: "it waits in the kernel (state D), as for a disk that does not answer\n\(end)"
        case .alive: "it is busy, or stuck\nIf it stays so, \(end)"
        case .gone: "it has ended"
        }
    }
}
