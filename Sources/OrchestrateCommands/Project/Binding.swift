import ControlAPI
import ControlClient
import Glibc

/// Whose end is the project's end.
enum Binding {
    /// Nobody's: `up -d`.
    case none
    /// That of the `up` itself.
    case command
    /// That of the `up`, which ends in order when its standard input does: `--lease stdin`.
    case input
    /// That of another process, whatever becomes of the `up`: `--owner-pid`.
    case owner(ClientIdentity)

    /// As it is asked of the supervisor, and what to come back to it with.
    func attachment(
        isDetached: Bool, token: String
    ) throws(ControlError) -> (Apply.Attachment, holder: ClientIdentity?) {
        switch self {
        case .none: return (.detached, nil)
        case .command where !FirstProcess.isUs:
            let own = try ClientIdentity.own()
            return (.foreground(token: token, client: own), own)
        case .command, .input:
            let own = try ClientIdentity.own()
            return (.bound(token: token, owner: own, otherwise: .attach), own)
        case .owner(let owner):
            return (.bound(token: token, owner: owner, otherwise: isDetached ? .refuse : .attach), owner)
        }
    }
}

/// Standard input as the sign of life of whoever holds its other end.
enum InputLease {
    static let descriptor = STDIN_FILENO

    /// Throws when nobody can hold it open, or nobody does any more.
    static func check() throws(CommandFailure) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw unfit("it is not open") }
        switch facts.st_mode & S_IFMT {
        case S_IFIFO, S_IFSOCK: break
        case S_IFCHR where isatty(descriptor) == 1: break
        default: throw unfit("it is no pipe, socket or terminal, which someone could hold open")
        }
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) > 0, hasEnded else { return }
        throw CommandFailure(
            .failed, "standard input is at its end already: whoever was to hold it open is gone. Nothing was started")
    }

    /// Its end is not to wait until somebody reads what is printed.
    /// What runs hangs on the input, and not on who reads the output: that one may close it.
    static func interruptOutput() {
        signal(SIGPIPE, SIG_IGN)
        Console.watch(Console.Interruption(descriptor: descriptor, events: 0) { !Console.isLeaving })
    }

    private static func unfit(_ reason: String) -> CommandFailure {
        CommandFailure(
            .usage, "--lease stdin cannot use standard input: \(reason). Give it a pipe, and keep its other end")
    }

    /// Of an input that polls as readable. What comes before its end means nothing.
    static var hasEnded: Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)
    }
}
