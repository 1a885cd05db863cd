import ManifestLoading
import SidecarModel
import StateStore
import Supervision

extension HostFiles {
    /// With all that there is to warn of on this machine: what `validate` shows, and an `up` that is refused.
    /// - Parameters:
    ///   - root: nil where no state can be kept: there are no leases then, and ports can be looked at all the same.
    ///   - owner: of the manifest, whose own ports are in order.
    static func lookingAtPorts(root: StateRoot?, owner: ManifestOwner) -> HostFiles {
        let ports = PortExamination(registry: root?.portsDirectory) { owner.isProject(in: $0.stateDirectory) }
        return HostFiles(
            resourceObstacle: { ResourceSupport.expectedObstacle(to: $0) },
            portObstacle: { port, replicas in
                ports.conflict(over: port, replicas: replicas).map {
                    PortObstacle(message: $0.message, remedy: $0.remedy(for: port, askedFrom: root?.path ?? ""))
                }
            })
    }
}

extension ProjectContext {
    /// The manifest with everything that `validate` tells of it.
    func diagnosed() -> LoadedManifest {
        let path = manifest ?? ""
        let owner = ManifestOwner(path: path, environment: environment, root: root)
        return loadManifest(
            path: path, environment: environment, files: HostFiles.lookingAtPorts(root: root, owner: owner))
    }

    /// What to show of a manifest that was refused: a supervisor doesn't look at ports, which `validate` does.
    /// - Parameter known: what it was refused for, and all there is to say where the manifest is another one by now.
    func diagnostics(refusing known: [Diagnostic]) -> [Diagnostic] {
        let all = diagnosed().diagnostics
        return all.filter { $0.severity == .error } == known.filter { $0.severity == .error } ? all : known
    }
}
