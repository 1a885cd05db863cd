import CProcess
import ControlAPI
import ControlClient
import Glibc
import SidecarModel
import StateStore
import Supervision

/// A process of a sidecar that runs one for each client: this command lends it its own standard input and output, so that
/// nothing stands between it and whoever started this. It lives as long as the connection to the supervisor does, which
/// the keeper holds too: it outlives supervisors.
final class ClientProcess {
    /// The supervisor was lost before it had started the process: it may be asked again.
    struct Lost: Error {}

    private let instance: InstanceReport
    private let connection: Int32
    /// Stands for the process, in whatever way its supervision ends. -1: there was no descriptor left for it.
    private let process: Int32
    private let signals: SignalWatch
    /// It was asked to end: by its end of the connection the supervisor knows.
    private var isLeaving: Bool

    /// Returns when the process runs.
    init(_ context: ProjectContext, of instance: InstanceReport) throws {
        self.instance = instance
        let log = LogInstance(sidecar: instance.sidecar, replica: instance.replica)
        let door = ClientDoor(stateDirectory: context.location.stateDirectory, instance: log)
        let opened = orch_unix_connect_packets(door.attachPath)
        guard opened >= 0 else { throw Lost() }
        let signals = SignalWatch()
        do {
            (process, isLeaving) = try Self.lend(to: opened, instance, signals)
        } catch {
            close(opened)
            throw error
        }
        connection = opened
        self.signals = signals
    }

    /// Answers what stands for the process, and whether we were asked to end meanwhile.
    private static func lend(
        to connection: Int32, _ instance: InstanceReport, _ signals: SignalWatch
    ) throws -> (process: Int32, isLeaving: Bool) {
        let greeting = ClientMessage.greeting
        let lent = [STDIN_FILENO, STDOUT_FILENO]
        let failure = orch_packet_send_bytes(connection, greeting, greeting.count, lent, lent.count)
        if failure == -EBADF {
            throw CommandFailure(.failed, "cannot attach to '\(instance.name)': standard input or output is closed")
        }
        // Who was turned away at once can't lend anything any more, and still hears why.
        guard [0, -EPIPE, -ECONNRESET].contains(failure) else { throw Lost() }
        let isLeaving = try awaitNews(on: connection, signals)
        switch next(from: connection) {
        case .message(.started, let descriptor): return (descriptor ?? -1, isLeaving)
        case .message(.refused(let reason), _):
            throw CommandFailure(.failed, "cannot attach to '\(instance.name)': \(reason)")
        case .message(.ended, _), .lost:
            if isLeaving { throw CommandFailure(.interrupted) }
            throw Lost()
        }
    }

    deinit {
        close(connection)
        close(process)
    }

    /// Answers what to exit with.
    func run() throws -> Int32 {
        var isSupervised = true
        while true {
            var entries = [
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isSupervised ? connection : process, events: Int16(POLLIN), revents: 0),
                // Only whether somebody still reads it.
                pollfd(fd: isLeaving ? -1 : STDOUT_FILENO, events: 0, revents: 0),
            ]
            guard poll(&entries, nfds_t(entries.count), -1) > 0 else { continue }
            if entries[1].revents != 0 {
                guard isSupervised else { return try codeOfUnsupervised() }
                switch Self.next(from: connection) {
                case .message(.ended(let exit), _):
                    let isKnown = exit.code != nil || exit.signal != nil
                    return try isKnown ? exit.shellCode : code(unless: "its keeper was lost before")
                case .message(.refused(let reason), _): throw CommandFailure(.failed, reason)
                case .message(.started, let descriptor): if let descriptor { close(descriptor) }
                case .lost:
                    guard process >= 0 else { return try codeOfUnsupervised() }
                    isSupervised = false
                }
            }
            let signal = entries[0].revents != 0 ? signals.next() : nil
            let isAsked = signal != nil && signal != SIGWINCH
            if isAsked, isLeaving { return ExitCode.interrupted.rawValue }
            guard isAsked || entries[2].revents != 0 else { continue }
            isLeaving = true
            if isSupervised {
                // The process is ended as its manifest says, and then we hear how.
                shutdown(connection, Int32(SHUT_WR))
            } else {
                _ = orch_pidfd_signal(process, SIGTERM)
            }
        }
    }

    private func codeOfUnsupervised() throws -> Int32 { try code(unless: "so has its supervision") }

    /// Nobody of us saw its end. What the kernel says, where it can (6.15).
    private func code(unless reason: String) throws -> Int32 {
        guard let exit = ExitStatus(awaitingReapOf: process) else {
            throw CommandFailure(
                .failed, "'\(instance.name)' has ended, and \(reason); with what exit code is not known")
        }
        return exit.shellCode
    }

    // MARK: Packets

    /// The process may run and speak before we hear of it: a signal is for it, too. A second one is for us.
    private static func awaitNews(on connection: Int32, _ signals: SignalWatch) throws -> Bool {
        var isLeaving = false
        while true {
            let ready = Poll.wait(for: [connection, signals.descriptor], timeout: nil)
            if ready.contains(connection) { return isLeaving }
            guard ready.contains(signals.descriptor), let signal = signals.next(), signal != SIGWINCH else { continue }
            guard !isLeaving else { throw CommandFailure(.interrupted) }
            isLeaving = true
            shutdown(connection, Int32(SHUT_WR))
        }
    }

    private enum Incoming {
        case message(ClientMessage, descriptor: Int32?)
        case lost
    }

    /// Waits for it.
    private static func next(from connection: Int32) -> Incoming {
        var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, -1) < 0 {}
        var descriptors = [Int32](repeating: -1, count: 4)
        var count = 0
        var size = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, used in
            // That the other side left with our greeting unread is said before what it had sent, and once.
            repeat {
                size = orch_packet_receive(connection, buffer.baseAddress, buffer.count, &descriptors, &count)
            } while size == -Int(ECONNRESET)
            used = max(0, size)
        }
        for extra in descriptors[..<count].dropFirst() { close(extra) }
        let descriptor = count > 0 ? descriptors[0] : nil
        guard size > 0, let message = ClientMessage(json: bytes) else {
            if let descriptor { close(descriptor) }
            return .lost
        }
        return .message(message, descriptor: descriptor)
    }
}
