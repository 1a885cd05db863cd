import ControlAPI
import ControlServer
import Reconciliation
import SidecarModel

extension Supervisor {
    /// Leaves an instance's input and output to the client that asks.
    func attach(_ parameters: Attach.Parameters, by peer: ControlPeer, _ reply: @escaping ControlHandler.Reply) {
        do throws(ControlError) {
            let index = try attachable(parameters.instance)
            let status = engine.reconciler.status(of: index)
            guard let name = engine.name(of: index), let status, let pid = status.pid else {
                throw notRunning(parameters.instance, status?.state)
            }
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

    /// The one instance of that name, if it is of a kind whose input and output can be left to a client.
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
        return index
    }

    private func notRunning(_ name: String, _ state: StateName?) -> ControlError {
        let state = state.map { " (\($0.rawValue))" } ?? ""
        return ControlError(.failed, "'\(name)' does not run\(state); see: orchestrate why \(name)")
    }
}
