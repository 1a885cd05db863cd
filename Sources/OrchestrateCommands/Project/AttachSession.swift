import CProcess
import ControlAPI
import ControlClient
import Glibc
import SidecarModel
import StateStore
import Supervision

/// One attachment to one life of a sidecar. Its bytes go from FIFO to FIFO and pass no supervisor, so that it goes on
/// when that is killed, replaced or upgraded.
final class AttachSession {
    private let context: ProjectContext
    private let instance: InstanceReport
    private let presence: Int32
    private let ends: ClientEnds
    private let process: Int32
    private let life: Attach.Answer
    private let linger: Duration
    private let signals = SignalWatch()

    /// Throws `noSupervisor` when the supervisor is lost meanwhile: it may be tried again.
    ///
    /// - Parameter seen: the instance that the name stands for, as the client was told.
    init(
        _ context: ProjectContext, _ client: ControlClient, name: String, seen: InstanceReport?, linger: Duration
    ) throws {
        self.context = context
        self.linger = linger
        let stateDirectory = context.location.stateDirectory
        // Whatever is wrong with the name, the supervisor says it.
        let log = LogInstance(sidecar: seen?.sidecar ?? name, replica: seen?.replica ?? 0)
        let announced = (try? ClientEnds.announce(stateDirectory: stateDirectory, instance: log)) ?? -1
        var pidfd: Int32 = -1
        do {
            life = try client.call(Attach.self, .init(instance: name, isAlone: announced >= 0))
            pidfd = orch_pidfd_open(life.pid)
            let now = try client.call(Status.self, .init(names: [name])).sidecars
            // Proves that the pid was not another's by then.
            guard pidfd >= 0, let own = now.first, own.pid == life.pid, own.incarnation == life.incarnation else {
                throw CommandFailure(.failed, "'\(name)' ended just now; see: orchestrate why \(name)")
            }
            instance = own
            do throws(SystemError) {
                ends = try ClientEnds(stateDirectory: stateDirectory, instance: log)
            } catch {
                throw CommandFailure(.failed, "cannot attach to '\(name)': \(error)")
            }
        } catch {
            // Nobody is there: another try is the first again.
            close(announced)
            close(pidfd)
            throw error
        }
        presence = announced
        process = pidfd
    }

    deinit {
        close(presence)
        close(process)
    }

    /// Answers what to exit with.
    func run() throws -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let keys = isatty(STDIN_FILENO) == 1 ? DetachKeys(descriptor: STDIN_FILENO) : nil
        var relay = AttachRelay(
            input: ends.input, output: ends.output, process: process, linger: linger, keys: keys, signals: signals)
        let end = relay.run()
        keys?.restore()
        switch end {
        case .detached:
            if keys != nil { Console.printError("detached; '\(instance.name)' goes on") }
            return 0
        case .interrupted:
            Console.printError("detached; '\(instance.name)' goes on")
            return ExitCode.interrupted.rawValue
        case .sidecarEnded: return try exitCode()
        }
    }

    // MARK: How it ended

    /// As its supervisor knows it: the one there is, or the one its keeper is starting. No other is started to be asked, as
    /// it would know nothing of it.
    private func exitCode() throws -> Int32 {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            do {
                guard let client = try context.running() ?? context.returned() else { break }
                if let code = try lastExit(by: client, until: deadline) { return code }
                break
            } catch let error as ControlError where error.code == .noSupervisor {
                // It was lost between the question and the answer, and is being started again, or has taken all down.
                if let code = codeOfEnded() { return code }
                poll(nil, 0, 50)
            }
        }
        if let code = ExitStatus(awaitingReapOf: process)?.shellCode { return code }
        throw CommandFailure(.failed, "'\(instance.name)' has ended; with what exit code is not known")
    }

    /// Nil: not even the supervisor knows.
    private func lastExit(by client: ControlClient, until deadline: ContinuousClock.Instant) throws -> Int32? {
        let snapshot = try client.call(Subscribe.self, .init(withReports: true)).project
        var seen = snapshot.sidecars.filter { $0.name == instance.name }
        guard !seen.isEmpty else { return nil }
        while true {
            if let ended = seen.first(where: { $0.incarnation > life.incarnation || $0.pid == nil }) {
                return ended.lastExit?.shellCode
            }
            let rest = deadline - .now
            guard rest > .zero else { return nil }
            if !client.hasArrived { _ = Poll.wait(for: [client.descriptor], timeout: rest) }
            seen = []
            for case .event(let message) in try client.receive() {
                guard case .transition(let transition) = message.event, transition.instance == instance.name,
                    let report = transition.report
                else { continue }
                seen.append(report)
            }
        }
    }

    /// What the kernel says of it, where it can (6.15): after `down` no supervisor is left to ask.
    private func codeOfEnded() -> Int32? { ExitStatus(ofEnded: process)?.shellCode }
}
