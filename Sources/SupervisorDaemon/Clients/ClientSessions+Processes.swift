import ControlAPI
import Glibc
import Reconciliation
import SidecarModel
import Supervision

// One client's process, from its start to the proof that nothing of it is left.
extension ClientSessions {
    /// The least that what is left behind by a leader gets before SIGKILL.
    private static let clearingGrace = Duration.seconds(2)

    // MARK: The client

    func heard(from session: ClientSession, _ readiness: EventLoop.Readiness) {
        guard session.isTold else { return leave(session) }
        if readiness.contains(.hangup) || readiness.contains(.error) { return leave(session) }
        switch ClientChannel.receive(from: session.connection) {
        case .nothing: break
        case .ended:
            // It goes, and waits to hear how its process ended. Nothing more comes from it.
            if let watch = session.watch { try? loop.modify(watch, []) }
            endProcess(of: session)
        case .packet(_, let descriptors):
            guard case .arriving = session.phase, descriptors.count == 2 else {
                for descriptor in descriptors { close(descriptor) }
                return leave(session)
            }
            session.lent = descriptors
            session.phase = .spawning
            begin(session)
        }
    }

    /// The client is gone. Its process follows.
    func leave(_ session: ClientSession) {
        hangUp(session)
        endProcess(of: session)
    }

    func tell(_ session: ClientSession, _ message: ClientMessage, with descriptor: Int32? = nil) {
        guard session.isTold, session.connection >= 0 else { return }
        ClientChannel.send(message, to: session.connection, with: descriptor)
    }

    // MARK: The process

    /// Starts its process. The keeper has the connection before: a client that comes again, as this supervisor died, is
    /// to find no process that still reads its input.
    func begin(_ session: ClientSession) {
        host.hold(key: session.holdKey, [session.connection])
        host.flush()
        do throws(SpawnFailure) {
            let request = try supervisor.clientRequest(
                of: session.index, session.name, number: session.number, lent: session.lent)
            host.spawn(request) { [unowned self] result in spawned(session, result) }
        } catch {
            fail(session, error)
        }
    }

    private func spawned(_ session: ClientSession, _ result: Result<SpawnedProcess, SpawnFailure>) {
        session.closeLent()
        switch result {
        case .failure(let failure): fail(session, failure)
        case .success(let spawned):
            session.phase = .running(spawned.id)
            session.processID = spawned.pid
            owners[spawned.id] = session.number
            tell(session, .started(pid: spawned.pid), with: host.descriptor(of: spawned.id))
            for wish in session.wishes {
                switch wish {
                case .signal(let signal, let target): host.signal(spawned.id, signal, to: target)
                case .kill: host.kill(spawned.id)
                }
            }
            if session.stop != nil { goOn(session) }
        }
    }

    private func fail(_ session: ClientSession, _ failure: SpawnFailure) {
        logs.notice(session.name.logInstance, "nothing was started for pid \(session.pid): \(failure.message)")
        tell(session, .refused(failure.message))
        forget(session)
    }

    /// Begins the sidecar's stop sequence, unless it is under way.
    func endProcess(of session: ClientSession) {
        guard session.stop == nil else { return }
        session.stop = StopSequence(stop(of: session))
        switch session.phase {
        case .arriving: forget(session)
        case .spawning, .clearing: break
        case .running: goOn(session)
        }
    }

    private func stop(of session: ClientSession) -> StopSpec {
        supervisor.engine.reconciler.spec(of: session.index)?.stop ?? StopSpec()
    }

    /// The next step of the sequence.
    private func goOn(_ session: ClientSession) {
        guard case .running(let process) = session.phase, let step = session.stop?.advance() else { return }
        switch step {
        case .signal(let signal, let target, let wait):
            host.signal(process, signal, to: target)
            session.timer = loop.schedule(at: loop.now + wait) { [weak self] in self?.goOn(session) }
        case .kill: host.kill(process)
        }
    }

    /// True when the process was a client's.
    func exited(_ process: ProcessID, _ status: ExitStatus) -> Bool {
        guard let number = owners[process], let session = sessions[number] else { return false }
        if let timer = session.timer { loop.cancel(timer) }
        session.phase = .clearing(process)
        logs.note(session.name.logInstance, "for pid \(session.pid): \(status)")
        tell(session, .ended(ExitReport(status)))
        hangUp(session)
        session.timer = loop.schedule(at: loop.now + Self.clearingGrace) { [weak self] in self?.host.kill(process) }
        host.clear(process, stop(of: session).clearingSignal)
        return true
    }

    func emptied(_ process: ProcessID) -> Bool {
        guard let number = owners[process], let session = sessions[number] else { return false }
        host.release(process)
        forget(session)
        return true
    }
}
