import ControlAPI
import ControlServer
import Reconciliation
import SidecarModel

extension Supervisor {
    /// Leaves an instance's input and output to the client that asks.
    func attach(_ parameters: Attach.Parameters, by peer: ControlPeer, _ reply: @escaping ControlHandler.Reply) {
        do throws(ControlError) {
            let index = try attachable(parameters.instance)
            guard let name = engine.name(of: index), let status = engine.reconciler.status(of: index),
                let pid = status.pid
            else { throw notRunning(parameters.instance, nil) }
            let answer = Attach.Answer(incarnation: status.incarnation.number, pid: pid)
            try clients.attach(
                name, shown: reports.shownName(of: index), pid: peer.pid, isAlone: parameters.isAlone
            ) {
                reply(.success(.attach(answer)))
            }
        } catch {
            reply(.failure(error))
        }
    }

    /// The one running instance of that name whose input and output can be left to a client.
    private func attachable(_ name: String) throws(ControlError) -> InstanceIndex {
        let found = engine.reconciler.instances(named: name)
        guard let index = found.first, let spec = engine.reconciler.spec(of: index) else {
            throw unknownSidecars([name])
        }
        guard found.count == 1 else {
            let names = found.map { reports.shownName(of: $0) }
            throw ControlError(
                .failed, "'\(name)' runs \(found.count) times; name one of \(names.joined(separator: ", "))",
                names: names)
        }
        switch spec.stdio {
        case .socket: break
        case .none:
            throw ControlError(
                .failed,
                "nobody can attach to '\(name)': it does not say 'stdio: socket' or 'per_client' in the manifest")
        case .perClient:
            guard let socket = sessions.socketPath(of: index) else {
                throw notRunning(name, engine.reconciler.status(of: index)?.state)
            }
            throw ControlError(.failed, "'\(name)' starts a process for each client: connect to \(socket)")
        }
        guard let status = engine.reconciler.status(of: index), status.pid != nil else {
            throw notRunning(name, engine.reconciler.status(of: index)?.state)
        }
        return index
    }

    private func notRunning(_ name: String, _ state: StateName?) -> ControlError {
        let state = state.map { " (\($0.rawValue))" } ?? ""
        return ControlError(.failed, "'\(name)' does not run\(state); see: orchestrate why \(name)")
    }
}
