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
            "The project, by its id, its name or its manifest's path, from anywhere.", valueName: "project"),
        completion: .projects)
    var project: String?

    func validate() throws { try Self.check(file: file, project: project) }

    static func check(file: String?, project: String?) throws {
        try refuseEmpty(file: file)
        if file == "-" {
            throw ValidationError("Only validate and plan read standard input: a project is found again by its path.")
        }
        guard project?.isEmpty == true else { return }
        throw ValidationError("The value of --project is empty; give an id, a name or the path of a manifest.")
    }

    /// That of a variable that is not set: it must not mean the project that happens to be here.
    static func refuseEmpty(file: String?) throws {
        if file?.isEmpty == true { throw ValidationError("The path of the manifest is empty; name one.") }
    }
}

/// The same for commands whose `-f` means "follow".
struct FollowingProjectOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The manifest. Default: sidecars.yaml in this directory or above it.", valueName: "path"),
        completion: .file(extensions: ["yaml", "yml"]))
    var file: String?

    @Option(
        help: ArgumentHelp(
            "The project, by its id, its name or its manifest's path, from anywhere.", valueName: "project"),
        completion: .projects)
    var project: String?

    func validate() throws { try ProjectOptions.check(file: file, project: project) }

    var projectOptions: ProjectOptions {
        var options = ProjectOptions()
        options.file = file
        options.project = project
        return options
    }
}

/// Which project is meant may stand before the command, where `-f` can only mean the manifest.
enum LeadingOptions {
    /// `-f a.yaml logs -f` becomes `logs --file a.yaml -f`.
    static func moved(behindCommandIn arguments: [String]) -> [String] {
        var leading: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if first == "-f" || first == "--file" || first == "--project", rest.count > 1 {
                leading += [first == "-f" ? "--file" : first, rest[rest.startIndex + 1]]
                rest = rest.dropFirst(2)
            } else if first.hasPrefix("--file=") || first.hasPrefix("--project=") {
                leading.append(first)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        guard !leading.isEmpty, let command = rest.first, !command.hasPrefix("-") else { return arguments }
        return [command] + leading + rest.dropFirst()
    }
}
