// swift-tools-version: 6.2
import PackageDescription

/// One set of rules for every Swift target: language mode, strict imports, and no warning survives.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let strictC: [CSetting] = [
    .unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"])
]

/// A Swift module in `Sources/<name>`, importing only what stands here.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources, swiftSettings: strict)
}

/// A static C program without the Swift runtime: small, and running the moment it is started.
func staticProgram(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, cSettings: strictC,
        linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])])
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "orchestrate",
    products: [
        .executable(name: "orchestrate", targets: ["orchestrate"]),
        .executable(name: "orchestrate-keeper", targets: ["orchestrate-keeper"]),
        // Preloaded by the chaos tests.
        .library(name: "ChaosClock", type: .dynamic, targets: ["ChaosClock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: [
        // C
        .systemLibrary(
            name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(
            name: "CSQLite3", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CProcess", cSettings: strictC),

        // Core: decides, and touches nothing.
        module("SidecarModel"),
        module("Planning", ["SidecarModel"]),
        module("Reconciliation", ["SidecarModel", "Planning"]),

        // Edges: text in, text out.
        module("YAMLReading", ["CLibYAML", "SidecarModel"]),
        module("ManifestLoading", ["YAMLReading", "Planning", "SidecarModel"]),
        module("DiagnosticRendering", ["SidecarModel", "Planning"]),
        module("ControlAPI", ["SidecarModel"]),

        // Shell: touches the world.
        module("Supervision", ["CProcess", "CZlib", "Reconciliation", "Planning", "SidecarModel"]),
        module("StateStore", ["CSQLite3", "SidecarModel"]),
        module("ControlServer", ["ControlAPI", "Supervision", "CProcess", "SidecarModel"]),
        module("ControlClient", ["ControlAPI", "CProcess", "SidecarModel"]),
        module(
            "SupervisorDaemon",
            [
                "Supervision", "StateStore", "ControlServer", "ControlAPI", "ManifestLoading",
                "DiagnosticRendering", "Reconciliation", "Planning", "SidecarModel", "CProcess",
            ]),
        module(
            "OrchestrateCommands",
            [
                "SupervisorDaemon", "ControlClient", "ControlAPI", "StateStore", "ManifestLoading", "Supervision",
                "DiagnosticRendering", "Planning", "SidecarModel", "CProcess", argumentParser,
            ]),

        // Programs
        .executableTarget(
            name: "orchestrate", dependencies: ["OrchestrateCommands"],
            swiftSettings: strict,
            linkerSettings: [
                // At a fixed address nothing is relocated at start: milliseconds, and megabytes that stay shared.
                .unsafeFlags(["-Xclang-linker", "-no-pie"], .when(configuration: .release))
            ]),
        staticProgram("orchestrate-keeper", ["CProcess"]),

        .executableTarget(
            name: "generate-reference", dependencies: ["DiagnosticRendering", "ManifestLoading"],
            swiftSettings: strict),

        // Simulation
        module("SimulationKit", ["Reconciliation", "Planning", "SidecarModel"]),
        .executableTarget(
            name: "simulate", dependencies: ["SimulationKit"], swiftSettings: strict),

        // Chaos: the programs as they are built, and `kill -9`
        module("ChaosKit"),
        .executableTarget(name: "chaos", dependencies: ["ChaosKit"], swiftSettings: strict),
        staticProgram("chaos-sidecar"),
        staticProgram("chaos-disk"),
        .target(
            name: "ChaosClock", cSettings: strictC,
            // Without a Swift runtime: it is preloaded into programs that have their own, or none.
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-nostartfiles"])]),

        // The programs of examples/quickstart
        .executableTarget(name: "quickstart-sidecar", swiftSettings: strict),

        // Benchmarks
        .target(name: "CRawBaselines", dependencies: ["CLibYAML"], cSettings: strictC),
        staticProgram("bench-sidecar"),
        .executableTarget(
            name: "orchestrate-bench", dependencies: ["CRawBaselines"], swiftSettings: strict),

        // Tests
        tests("ArchitectureTests", []),
        // The programs themselves, as built beside the test bundle.
        tests("EndToEndTests", ["ChaosKit"]),
        tests("CProcessTests", ["CProcess"]),
        tests("SimulationTests", ["SimulationKit", "Reconciliation", "Planning", "SidecarModel"]),
        tests("PlanningTests", ["Planning", "SidecarModel"]),
        tests("ReconciliationTests", ["Reconciliation", "Planning", "SidecarModel"]),
        tests("ControlAPITests", ["ControlAPI", "SidecarModel"]),
        tests("ControlServerTests", ["ControlServer", "ControlAPI", "Supervision", "SidecarModel", "CProcess"]),
        tests(
            "OrchestrateCommandsTests",
            [
                "OrchestrateCommands", "ControlClient", "ControlServer", "ControlAPI", "StateStore", "Supervision",
                "SidecarModel", argumentParser,
            ], exclude: ["Goldens"]),
        tests("StateStoreTests", ["StateStore", "SidecarModel", "CSQLite3"]),
        tests(
            "SupervisorDaemonTests", ["SupervisorDaemon", "ManifestLoading", "Planning", "StateStore", "SidecarModel"]),
        tests("SupervisionTests", ["Supervision", "Reconciliation", "SidecarModel", "CProcess"]),
        tests("YAMLReadingTests", ["YAMLReading", "SidecarModel"]),
        tests("DiagnosticRenderingTests", ["DiagnosticRendering", "Planning", "SidecarModel"]),
        .executableTarget(
            name: "process-host-fixture", dependencies: ["Supervision", "Reconciliation", "SidecarModel"],
            path: "Tests/ProcessHostFixture", swiftSettings: strict),
        tests(
            "SupervisionProcessTests",
            [
                "Supervision", "Reconciliation", "SidecarModel", "CProcess", "orchestrate-keeper",
                "process-host-fixture",
            ]),
        tests(
            "ManifestLoadingTests",
            ["ManifestLoading", "DiagnosticRendering", "YAMLReading", "Planning", "SidecarModel"],
            exclude: ["Fixtures"]),
    ]
)

// Programs that only libFuzzer can start; `Scripts/fuzz` asks for them.
if Context.environment["ORCHESTRATE_FUZZ"] != nil {
    func fuzz(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name, dependencies: dependencies, swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
    }
    package.targets += [
        fuzz("fuzz-manifest", ["DiagnosticRendering", "ManifestLoading", "SidecarModel"]),
        fuzz("fuzz-words", ["ManifestLoading", "Planning", "SidecarModel"]),
        fuzz("fuzz-control", ["ControlAPI"]),
        fuzz("fuzz-probes", ["Supervision"]),
    ]
}
