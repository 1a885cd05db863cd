import ControlAPI
import ControlClient
import ManifestLoading
import Planning
import SidecarModel
import StateStore

// A manifest whose `id` was changed is another project to us, and the same one to whoever changed it.
extension ProjectContext {
    /// Whether something of it is there to be asked, or to be ended.
    static func runs(_ location: ProjectLocation) -> Bool {
        SupervisorStarter.isHeld(location.lockPath) || LivingSidecars.exist(in: location)
    }

    /// The project that this manifest was under another `id`, or none, and that still runs. One that was named by
    /// `--project` is another on purpose.
    static func runningFormer(
        of manifest: String, besides own: ProjectLocation, in root: StateRoot, _ patience: Patience
    ) -> ProjectLocation? {
        root.projects().first { location in
            location.identity != own.identity && runs(location) && lastManifest(of: location) == manifest
                && isCalledByManifest(location, patience)
        }
    }

    /// Where nobody can be asked, it is: to leave it running beside another one would be worse.
    private static func isCalledByManifest(_ location: ProjectLocation, _ patience: Patience) -> Bool {
        guard !location.identity.hasPrefix("/"),
            let client = try? ControlClient(socketPath: location.socketPath, patience: patience),
            let supervisor = try? client.call(Hello.self, .init(), for: .atMost(.seconds(2)))
        else { return true }
        return supervisor.id == location.identity
    }

    /// Throws where it would start everything a second time. A manifest that is no manifest has no `id` to be another one:
    /// what is wrong with it is said by who reads it.
    static func refuseBesideFormer(
        _ own: ProjectLocation, of manifest: String, in root: StateRoot, _ patience: Patience,
        environment: [String: String]
    ) throws {
        guard !runs(own), let former = runningFormer(of: manifest, besides: own, in: root, patience) else { return }
        guard !declared(in: manifest, environment: environment).hasErrors else { return }
        let name = former.identity.hasPrefix("/") ? "without an id" : "as '\(former.identity)'"
        throw CommandFailure(
            .conflict,
            """
            the project of \(manifest) runs already, \(name): its id has changed since
            End that first: orchestrate down --project \(former.identity.shellQuoted)
            To have both, give this one a name of its own: --project NAME
            """)
    }

    /// What the manifest declares, to be looked at alone.
    static func declared(in manifest: String, environment: [String: String]) -> LoadedManifest {
        let options = LoadOptions(checksHost: false, readsFiles: true, makesFingerprints: false)
        return loadManifest(path: manifest, environment: environment, options: options, files: HostFiles())
    }

    /// How sidecars come up that the manifest declares and the running project does not know. Nil: it doesn't declare all of
    /// them, with replicas.
    func wayUp(for names: [String]) -> String? {
        guard let manifest, !names.isEmpty else { return nil }
        let plan = Self.declared(in: manifest, environment: environment).plan
        guard let plan, names.allSatisfy({ name in plan.sidecars.contains { $0.name == name && $0.replicas > 0 } })
        else { return nil }
        let list = names.joined(separator: " ")
        return "The manifest declares \(names.count == 1 ? "it" : "them"): orchestrate up -d\(selector) \(list)"
    }

    static func lastManifest(of location: ProjectLocation) -> String? {
        ((try? StateStore(reading: location.journalPath).project()) ?? nil)?.manifest
    }
}
