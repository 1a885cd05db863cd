import ArgumentParser

/// Which project is meant.
struct ProjectOptions: ParsableArguments {
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp("The manifest. Default: sidecars.yaml in this directory or above it.", valueName: "path"),
        completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    @Option(
        help: ArgumentHelp(
            "The project, by its id, its name or its manifest's path, from anywhere.", valueName: "project"))
    var project: String?
}
