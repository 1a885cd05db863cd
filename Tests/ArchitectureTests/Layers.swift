/// Who may import whom: the rings of the house, innermost first. A module that is not here fails the test,
/// so whoever adds one says where it stands.
enum Layers {
    /// Decides, and touches nothing: the standard library and each other.
    static let core: [String: Set<String>] = [
        "SidecarModel": [],
        "Planning": ["SidecarModel"],
        "Reconciliation": ["SidecarModel", "Planning"],
    ]

    /// Text in, text out.
    static let edges: [String: Set<String>] = [
        "YAMLReading": ["CLibYAML", "SidecarModel", "Glibc"],
        "ManifestLoading": ["YAMLReading", "Planning", "SidecarModel", "Glibc", "FoundationEssentials"],
        "DiagnosticRendering": ["Planning", "SidecarModel", "Glibc", "FoundationEssentials"],
        "ControlAPI": ["SidecarModel", "FoundationEssentials"],
    ]

    /// Touches the world.
    static let shell: [String: Set<String>] = [
        "Supervision": ["CZlib", "Reconciliation", "Planning", "SidecarModel"],
        "StateStore": ["CSQLite3", "SidecarModel"],
        "ControlServer": ["ControlAPI", "Supervision", "SidecarModel"],
        "ControlClient": ["ControlAPI", "SidecarModel"],
        "SupervisorDaemon": [
            "Supervision", "StateStore", "ControlServer", "ControlAPI", "ManifestLoading", "DiagnosticRendering",
            "Reconciliation", "Planning", "SidecarModel",
        ],
        "OrchestrateCommands": [
            "SupervisorDaemon", "Supervision", "ControlClient", "ControlAPI", "StateStore", "ManifestLoading",
            "DiagnosticRendering", "Planning", "SidecarModel", "ArgumentParser",
        ],
    ]

    /// What every module that touches the world may use of the system.
    static let system: Set<String> = ["Glibc", "CProcess", "FoundationEssentials", "Synchronization"]

    static let simulation: [String: Set<String>] = [
        "SimulationKit": ["Reconciliation", "Planning", "SidecarModel"],
        // It knows the programs from outside alone.
        "ChaosKit": ["Glibc"],
    ]

    /// Executables: each is the composition of what it needs, and nothing imports it.
    static let programs: [String: Set<String>] = [
        "orchestrate": ["OrchestrateCommands"],
        "simulate": ["SimulationKit", "Glibc", "Musl"],
        "chaos": ["ChaosKit", "Glibc"],
        "generate-reference": ["ManifestLoading", "DiagnosticRendering", "SidecarModel", "Planning", "Glibc"],
        "fuzz-manifest": ["DiagnosticRendering", "ManifestLoading", "SidecarModel"],
        "fuzz-words": ["ManifestLoading", "Planning", "SidecarModel"],
        "fuzz-control": ["ControlAPI"],
        "fuzz-probes": ["Supervision"],
        "orchestrate-bench": ["CRawBaselines", "Glibc", "FoundationEssentials"],
        "quickstart-sidecar": ["Glibc"],
    ]

    static func allowed(for module: String) -> Set<String>? {
        if let inner = core[module] ?? edges[module] ?? simulation[module] ?? programs[module] { return inner }
        return shell[module].map { $0.union(system) }
    }
}
