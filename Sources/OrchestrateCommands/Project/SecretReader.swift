import ControlAPI
import CProcess
import ControlClient
import FoundationEssentials
import Glibc
import ManifestLoading
import SidecarModel

/// Reads the values of a manifest's secrets, here and not in the supervisor: a password manager may want to ask whoever
/// sits at this terminal, and needs this session's agents.
///
/// What goes wrong is said without a word of what was read.
struct SecretReader {
    private static let limit = 1 << 20
    private static let patience: Duration = .seconds(120)

    let environment: [String: String]
    /// The manifest's.
    let directory: String

    func values(of secrets: [SecretSpec]) throws -> [String: Data] {
        var values: [String: Data] = [:]
        for secret in secrets {
            switch secret.source {
            case .generated: break
            case .environment(let variable): values[secret.name] = try value(of: variable, for: secret.name)
            case .file(let path): values[secret.name] = try contents(of: path, for: secret.name)
            case .command(let words): values[secret.name] = try output(of: words, for: secret.name)
            }
        }
        return values
    }

    private func value(of variable: String, for secret: String) throws -> Data {
        if let value = environment[variable] { return Data(value.utf8) }
        let dotEnvironment = DotEnvironment(beside: directory, files: HostFiles())
        if let value = dotEnvironment.values[variable] { return Data(value.utf8) }
        throw failure(secret, dotEnvironment.problems.first?.message ?? "the variable \(variable) is not set")
    }

    private func contents(of path: String, for secret: String) throws -> Data {
        do {
            return Data(try HostFiles().read(path, limit: Self.limit))
        } catch {
            throw failure(secret, "\(path): \(error.reason)")
        }
    }

    private func output(of words: [String], for secret: String) throws -> Data {
        let program = words.first ?? ""
        let run: SecretCommand
        do {
            run = try SecretCommand(words, environment: environment, directory: directory)
        } catch {
            throw failure(secret, "cannot run '\(program)': \(String(cString: strerror(error.number)).lowercased())")
        }
        switch run.output(limit: Self.limit, within: Self.patience) {
        case .text(var bytes):
            if bytes.last == 0x0A { bytes.removeLast() }
            guard !bytes.isEmpty else { throw failure(secret, "'\(program)' printed nothing") }
            return Data(bytes)
        case .failed(let status): throw failure(secret, "'\(program)' ended with \(status)")
        case .tooLong: throw failure(secret, "'\(program)' was not done after two minutes")
        case .tooLarge: throw failure(secret, "'\(program)' printed more than \(Self.limit >> 20) MiB")
        }
    }

    private func failure(_ secret: String, _ reason: String) -> CommandFailure {
        CommandFailure(.failed, "cannot read the secret '\(secret)': \(reason); nothing was changed")
    }
}

/// A command whose output is a secret: in this session, so that it may ask at the terminal.
struct SecretCommand {
    struct Failure: Error { var number: Int32 }

    enum Answer {
        case text([UInt8])
        case failed(ExitStatus)
        case tooLong
        case tooLarge
    }

    private let pid: pid_t
    private let reading: Int32

    init(_ words: [String], environment: [String: String], directory: String) throws(Failure) {
        var ends: [Int32] = [-1, -1]
        guard loop_pipe(&ends) == 0 else { throw Failure(number: errno) }
        defer { close(ends[1]) }
        // The child's end is to wait like any other; ours is polled.
        _ = fcntl(ends[1], F_SETFL, 0)
        switch Self.start(words, environment, directory, output: ends[1]) {
        case .success(let started):
            pid = started
            reading = ends[0]
        case .failure(let failure):
            close(ends[0])
            throw failure
        }
    }

    private static func start(
        _ words: [String], _ environment: [String: String], _ directory: String, output: Int32
    ) -> Result<pid_t, Failure> {
        // This program has one thread, and comes back to where it was.
        let here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer {
            if here >= 0 {
                fchdir(here)
                close(here)
            }
        }
        guard chdir(directory) == 0 else { return .failure(Failure(number: errno)) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        // Signals reach it as if it had been called by hand, whatever this program waits for.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var pid: pid_t = 0
        let number = withCStrings(words) { arguments in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { variables in
                posix_spawnp(&pid, words.first ?? "", &actions, &attributes, arguments, variables)
            }
        }
        return number == 0 ? .success(pid) : .failure(Failure(number: number))
    }

    /// Ends it when it takes too long.
    func output(limit: Int, within patience: Duration) -> Answer {
        defer { close(reading) }
        let deadline = ContinuousClock.now + patience
        var bytes: [UInt8] = []
        while true {
            let rest = deadline - .now
            var poller = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            let ready = rest <= .zero ? 0 : poll(&poller, 1, Int32(clamping: rest.components.seconds * 1000 + 1))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return end(saying: .tooLong) }
            var count = 0
            bytes += [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
                count = read(reading, buffer.baseAddress, buffer.count)
                filled = max(0, count)
            }
            if count < 0, errno == EINTR { continue }
            if bytes.count > limit { return end(saying: .tooLarge) }
            guard count > 0 else { break }
        }
        let status = wait()
        return status == .code(0) ? .text(bytes) : .failed(status)
    }

    private func end(saying answer: Answer) -> Answer {
        kill(pid, SIGKILL)
        _ = wait()
        return answer
    }

    private func wait() -> ExitStatus {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 { guard errno == EINTR else { return .unknown } }
        let signal = status & 0x7f
        return signal == 0 ? .code(status >> 8 & 0xff) : .signal(Signal(number: signal))
    }
}
