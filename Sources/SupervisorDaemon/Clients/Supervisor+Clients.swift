import CProcess
import ControlAPI
import Glibc
import Reconciliation
import SidecarModel
import StateStore
import Supervision

/// Who is at an instance's standard input and output, and where others could come in.
struct ClientBook {
    var socket: String?
    var clients: [ClientReport] = []
}

extension Supervisor {
    func clientBook(of index: InstanceIndex) -> ClientBook {
        guard let spec = engine.reconciler.spec(of: index), let name = engine.name(of: index) else {
            return ClientBook()
        }
        switch spec.stdio {
        case .none: return ClientBook()
        case .socket: return ClientBook(clients: clients.client(of: name).map { [$0] } ?? [])
        case .perClient:
            return ClientBook(
                socket: sessions.socketPath(of: index), clients: sessions.sessions(of: index).map(\.report))
        }
    }

    /// What starts the process of one client.
    ///
    /// - Parameter lent: what becomes its standard input and output, in this order, or the one that is both. The
    ///   caller's: what the spawn needs of them is copied.
    func clientRequest(
        of index: InstanceIndex, _ name: InstanceName, number: UInt64, lent: [Int32]
    ) throws(SpawnFailure) -> ProcessRequest {
        guard let spec = engine.reconciler.spec(of: index) else {
            throw SpawnFailure(step: .descriptors, message: "'\(name.sidecar)' is no longer declared")
        }
        var request = try launcher.clientRequest(for: spec, name, number: number)
        request.stop = stopRecord(of: spec)
        let joined = joinLog(
            of: spec, name, as: .stderr, in: engine.reconciler.status(of: index)?.incarnation)
        // A spawn that hangs is answered before its preparation is over: the numbers may be another's by then.
        let own = OwnCopies(of: lent)
        request.prepare = { () throws(SpawnFailure) -> StandardDescriptors in
            let error = try joined()
            let copies = own.descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
            guard let input = copies.first, let output = copies.last, input >= 0, output >= 0 else {
                let number = errno
                for descriptor in copies + [error] where descriptor >= 0 { close(descriptor) }
                throw SpawnFailure(
                    step: .descriptors,
                    message: "cannot hand its client over: \(SystemError.message(for: number))", errno: number)
            }
            return StandardDescriptors(input: input, output: output, error: error)
        }
        return request
    }

    // MARK: After an earlier supervisor

    /// What becomes of the life of one that runs a process for each client, and of its door.
    struct DoorRestoration {
        var survival: Survival
        /// Nil: nobody comes in any more.
        var sockets: (stream: Int32, attach: Int32)?
    }

    /// Its door is as it was where the keeper kept it; lost together with the keeper, it is opened again.
    func restoreDoor(of row: InstanceRow) -> DoorRestoration {
        let name = InstanceName(sidecar: row.sidecar, replica: row.replica)
        let keys = OpenDoor.holdKeys(of: name)
        let kept = (sessions.returned(keys.stream), sessions.returned(keys.attach))
        switch row.state {
        case .starting, .healthy, .unhealthy:
            if let stream = kept.0, let attach = kept.1 {
                return DoorRestoration(survival: .alive(pid: nil), sockets: (stream, attach))
            }
        case .waiting, .stopping, .stopped, .backoff, .completed, .failed, .blocked, .scheduled: break
        }
        for socket in [kept.0, kept.1] {
            if let socket { close(socket) }
        }
        sessions.dropSockets(of: name)
        switch row.state {
        case .healthy, .unhealthy:
            guard let sockets = try? sessions.openSockets(of: name) else { break }
            return DoorRestoration(survival: .alive(pid: nil), sockets: sockets)
        case .stopping: return DoorRestoration(survival: .alive(pid: nil))
        case .starting, .waiting, .stopped, .backoff, .completed, .failed, .blocked, .scheduled: break
        }
        return DoorRestoration(survival: .neverSpawned)
    }

    /// The core knows of its life again.
    func admit(_ restoration: DoorRestoration, of row: InstanceRow) {
        guard case .alive = restoration.survival,
            let index = engine.reconciler.instance(sidecar: row.sidecar, replica: row.replica)
        else { return }
        let name = InstanceName(sidecar: row.sidecar, replica: row.replica)
        let incarnation = Incarnation(row.incarnation)
        guard let sockets = restoration.sockets else { return sessions.resumeClosed(index, incarnation, name) }
        do throws(SystemError) {
            try sessions.admit(
                OpenDoor(
                    index: index, incarnation: incarnation, name: name, place: sessions.place(of: name),
                    stream: sockets.stream, attach: sockets.attach))
        } catch {
            warn("nobody is let in by '\(name.sidecar)' before its next restart: \(error)")
            sessions.resumeClosed(index, incarnation, name)
        }
    }

    /// Each goes on where its client's connection was kept; otherwise nobody could tell when the client leaves, and it
    /// is ended.
    func takeUpClients(_ found: [AdoptedProcess]) {
        for process in found { takeUp(process) }
        sessions.dropReturned()
    }

    private func takeUp(_ process: AdoptedProcess) {
        guard process.name.hasSuffix(Launcher.clientSuffix),
            let name = InstanceName(indexed: String(process.name.dropLast(Launcher.clientSuffix.count))),
            let index = engine.reconciler.instance(sidecar: name.sidecar, replica: name.replica), sessions.knows(index)
        else { return helpers.endAdopted(process.id) }
        sessions.resume(process, of: index, name)
    }
}

/// Copies of descriptors that are open for as long as somebody may want them.
private final class OwnCopies: Sendable {
    let descriptors: [Int32]

    init(of others: [Int32]) { descriptors = others.map { fcntl($0, F_DUPFD_CLOEXEC, 3) } }

    deinit { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }
}
