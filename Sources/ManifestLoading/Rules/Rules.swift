import SidecarModel
import YAMLReading

extension ManifestDecoder {
    /// What is readable and still won't run, or will surprise. Each looks at all sidecars once.
    func runRules() {
        var ports = FixedPorts()
        var known = KnownPlaces()
        for position in sidecars.indices {
            let sidecar = sidecars[position]
            checkCommand(of: sidecar, position)
            checkEnvironment(of: sidecar, position)
            checkPorts(of: sidecar, position, &ports)
            checkLifecycle(of: sidecar, position)
            checkPrivileges(of: sidecar, position)
            if options.checksHost { checkHost(of: sidecar, position, &known) }
        }
        for position in sidecars.indices where sidecars[position].health != HealthSpec() {
            checkHealth(of: sidecars[position], position, ports)
        }
        checkDependencies()
        checkSecrets()
        if options.checksHost { checkSecretSources() }
    }

    /// The deepest of the keys that is written for this sidecar: in itself, else in `defaults:`, else its name.
    func place(_ sidecar: Int, _ path: String...) -> NodeID {
        for layer in [places[sidecar].value, defaultsNode].compactMap(\.self) {
            var found: NodeID?
            var node = layer
            for key in path {
                guard let entry = document.entry(key, in: node) else { break }
                found = path.last == key ? entry.value : entry.key
                node = entry.value
            }
            if let found { return found }
        }
        return places[sidecar].key
    }

    /// Where its number or range stands, in the long form too.
    func place(ofPort name: String, of sidecar: Int) -> NodeID {
        let port = place(sidecar, "ports", name)
        return document.entry("port", in: port)?.value ?? port
    }
}
