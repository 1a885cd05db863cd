package import ControlAPI
import CProcess
import Glibc

/// Starts a project's keeper, which starts its supervisor, and waits until that answers.
package struct SupervisorStarter {
    /// Of the running program; the supervisor is the same one.
    package var programDescriptorPath = "/proc/self/exe"
    package var stateDirectory: String
    package var startLockPath: String
    /// Held for as long as a keeper or a supervisor lives.
    package var lockPath: String
    package var socketPath: String
    package var logPath: String
    /// The supervisor's, without the program's name.
    package var arguments: [String]
    /// A guard is there before anything is started.
    package var isGuarded: Bool
    package var patience: Patience
    /// Of a keeper that has the lock and can't start a supervisor. Nil: there is none.
    package var stoppedKeeper: () -> Silence?

    package init(
        stateDirectory: String, startLockPath: String, lockPath: String, socketPath: String, logPath: String,
        arguments: [String], isGuarded: Bool, patience: Patience, stoppedKeeper: @escaping () -> Silence? = { nil }
    ) {
        self.stateDirectory = stateDirectory
        self.startLockPath = startLockPath
        self.lockPath = lockPath
        self.socketPath = socketPath
        self.logPath = logPath
        self.arguments = arguments
        self.isGuarded = isGuarded
        self.patience = patience
        self.stoppedKeeper = stoppedKeeper
    }

    package struct Connection {
        package var client: ControlClient
        /// This call started the supervisor.
        package var isFresh: Bool

        package init(client: ControlClient, isFresh: Bool) {
            self.client = client
            self.isFresh = isFresh
        }
    }

    /// Connects, and starts a supervisor first when nobody answers. Two that do so at once get the same one.
    /// - Parameter meanwhile: done while a supervisor that was started comes up.
    package func connect(meanwhile: () -> Void = {}) throws(ControlError) -> Connection {
        if let client = try client() { return Connection(client: client, isFresh: false) }
        let lock = open(startLockPath, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw failure("open \(startLockPath)") }
        defer { close(lock) }
        let wait = patience.begin(.asLongAsItTakes)
        // Whoever has it may wait for a supervisor that does not come.
        while flock(lock, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EINTR || errno == EWOULDBLOCK else { throw failure("lock \(startLockPath)") }
            _ = try patience.rest(of: wait, Silence(of: nil, "come up, which another command waits for too,"))
            poll(nil, 0, 20)
        }
        if let client = try awaitAnswer() { return Connection(client: client, isFresh: false) }
        try start(meanwhile)
        // It may have been killed since it said that it was ready, and is started again.
        guard let client = try awaitAnswer() else {
            throw ControlError(.failed, "the supervisor does not answer at \(socketPath); see \(logPath)")
        }
        return Connection(client: client, isFresh: true)
    }

    /// One that lives but doesn't answer is being started, started again, or on its way out. Nil: there is none, or it
    /// does not answer in time.
    private func awaitAnswer() throws(ControlError) -> ControlClient? {
        let wait = patience.begin(.asLongAsItTakes)
        let shortWait = patience.begin(.atMost(.seconds(9)))
        for _ in 0..<500 {
            if let client = try client() { return client }
            guard Self.isHeld(lockPath) else { return nil }
            // Another one beside it would be refused.
            if let keeper = stoppedKeeper() { _ = try patience.rest(of: shortWait, keeper) }
            _ = try patience.rest(of: wait, Silence(of: nil, "listened at \(socketPath)"))
            poll(nil, 0, 20)
        }
        return nil
    }

    private func client() throws(ControlError) -> ControlClient? {
        try ControlClient(socketPath: socketPath, patience: patience)
    }

    /// Whether a keeper or a supervisor has this lock.
    package static func isHeld(_ lockPath: String) -> Bool {
        let lock = open(lockPath, O_RDONLY | O_CLOEXEC)
        guard lock >= 0 else { return false }
        defer { close(lock) }
        return flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// With fewer, hardly a sidecar has room beside what a supervisor has open itself.
    private static let fewestDescriptors: rlim_t = 128

    /// Keeper and supervisor raise the limit they inherit as far as it goes.
    private static func checkDescriptorLimit() throws(ControlError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_max < fewestDescriptors
        else { return }
        throw ControlError(
            .failed,
            "cannot start a supervisor: only \(limit.rlim_max) files may be open, and it needs \(fewestDescriptors). "
                + "Raise the hard limit: ulimit -Hn, LimitNOFILE= of the service, or /etc/security/limits.conf")
    }

    private func start(_ meanwhile: () -> Void) throws(ControlError) {
        try Self.checkDescriptorLimit()
        let keeper = try Self.keeperPath(beside: Self.programPath())
        let program = open(programDescriptorPath, O_RDONLY | O_CLOEXEC)
        guard program >= 0 else { throw failure("open the running program") }
        defer { close(program) }
        let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw failure("open \(logPath)") }
        defer { close(log) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw failure("make a pipe") }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let code = withCStrings(arguments) { arguments in
            keeper.withCString { keeper in
                stateDirectory.withCString { directory in
                    var request = orch_launch_request(
                        keeper_path: keeper, state_directory: directory, program_fd: program, ready_fd: ends[1],
                        log_fd: log, is_guarded: isGuarded ? 1 : 0, arguments: arguments, environment: environ)
                    return orch_launch_keeper(&request)
                }
            }
        }
        close(ends[1])
        switch -code {
        case 0: meanwhile()
        // It came as far as to say why it could not go on.
        case ECHILD: break
        case let number:
            errno = number
            throw failure("start \(keeper)")
        }
        try waitUntilReady(ends[0])
    }

    /// Reads the one line the supervisor, or a keeper that could not start one, sends.
    private func waitUntilReady(_ descriptor: Int32) throws(ControlError) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let wait = patience.begin()
        while !line.contains(UInt8(ascii: "\n")) {
            let rest = try patience.rest(of: wait, Silence(of: nil, "come up (see \(logPath))"))
            guard poll(&entry, 1, max(1, Int32(rest / .milliseconds(1)))) > 0 else { continue }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            line.append(contentsOf: buffer[..<count])
        }
        let text = String(decoding: line.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let space = text.firstIndex(of: " ") ?? text.endIndex
        let reason = String(text[space...].dropFirst())
        switch text[..<space] {
        case "ready": return
        case "conflict": throw ControlError(.conflict, reason)
        case "error": throw ControlError(.failed, reason)
        default: throw ControlError(.failed, "the supervisor ended before it was ready; see \(logPath)")
        }
    }

    /// Of the running program.
    package static func programPath() throws(ControlError) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw ControlError(.failed, "cannot find the running program in /proc") }
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Beside the program, or in `../libexec/orchestrate` of it.
    package static func keeperPath(beside program: String) throws(ControlError) -> String {
        let directory = program[..<(program.lastIndex(of: "/") ?? program.startIndex)]
        let places = ["\(directory)/orchestrate-keeper", "\(directory)/../libexec/orchestrate/orchestrate-keeper"]
        for place in places where access(place, X_OK) == 0 { return place }
        throw ControlError(
            .failed,
            "cannot find orchestrate-keeper, looked at \(places.joined(separator: " and ")): "
                + "install it beside orchestrate")
    }

    private func failure(_ what: String) -> ControlError {
        let remedy =
            switch errno {
            case EAGAIN:
                "; raise the limit on processes: ulimit -u, LimitNPROC= of the service, or pids.max of the cgroup"
            case ENOSPC, EDQUOT: "; free some space (df -h) or inodes (df -i) there"
            default: ""
            }
        return ControlError(.failed, "cannot \(what): \(String(cString: strerror(errno)).lowercased())\(remedy)")
    }
}

/// Calls the body with a NULL-terminated list of C strings.
package func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let copies: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { copies.forEach { free($0) } }
    return copies.withUnsafeBufferPointer { buffer in
        var none: UnsafeMutablePointer<CChar>?
        return withUnsafePointer(to: &none) { body(buffer.baseAddress ?? $0) }
    }
}
