/// The top level of a manifest.
package let projectKeys = KeyGroup<ProjectSpec>(
    allowsExtensions: true,
    [
        ManifestKey(
            "version", .form(.version), default: "1", onChange: .ignore,
            "Version of the manifest's language. There is one: 1.", example: "1"),
        ManifestKey(
            "name", .form(.projectName), default: "the name of the manifest's directory", onChange: .ignore,
            "Name of the project: lower-case letters, digits and hyphens, at most 63.", example: "shop"),
        ManifestKey(
            "id", .form(.projectID), default: "the manifest's absolute path", onChange: .ignore,
            "Identity of the project, whatever path the manifest has: for manifests that move, such as those inside a "
                + "release directory or an app bundle.", example: "com.example.shop"),
        ManifestKey(
            "env", .form(.environment), onChange: .restart,
            "Environment variables of every sidecar; a sidecar's own win. The values are the text as written; `null` "
                + "removes an inherited variable.", example: "{ LOG_LEVEL: info }"),
        ManifestKey(
            "env_file", .form(.environmentFiles), onChange: .restart,
            "Files of `NAME=value` lines, read in order, beneath `env`. Relative paths start at the manifest's "
                + "directory.", example: "[.env, { path: .env.local, required: false }]"),
        ManifestKey(
            "defaults", .form(.defaults), onChange: .restart,
            "Any sidecar key but `command`, `shell` and `depends_on`, merged beneath each sidecar: mappings by key, "
                + "lists as a whole.", example: "{ stop: { grace: 5s } }"),
        ManifestKey(
            "secrets", .form(.secretSources), onChange: .restart,
            "Secrets by name, each with one source: `file`, `env`, `command` or `generate`. Read when the project is "
                + "brought up; a sidecar gets those it names in its own `secrets`.",
            example: "{ pg: { generate: 32 } }"),
        ManifestKey(
            "start", .group(projectStartKeys, short: nil), "How the project starts.", example: "{ max_parallel: 8 }"),
        ManifestKey(
            "supervisor", .group(projectSupervisorKeys, short: nil), "The supervisor of this project.",
            example: "{ on_exit: keep }"),
        ManifestKey(
            "sidecars", .form(.sidecars), default: "required", onChange: .restart,
            "The sidecars by name. Names are lower-case letters, digits, `-` and `_`, and begin with a letter or digit.",
            example: "{ web: { command: [./server] } }"),
    ])

private let projectStartKeys = KeyGroup<ProjectSpec>([
    ManifestKey(
        "max_parallel", .optionalInteger(1...100_000, \.maxParallelStarts), default: "no limit",
        "How many sidecars may be starting at the same time.", example: "8")
])

private let projectSupervisorKeys = KeyGroup<ProjectSpec>([
    ManifestKey(
        "on_exit", .optionalChoice(\.onSupervisorExit), default: "`keep` when detached, `stop` in the foreground",
        "What happens to the sidecars when the supervisor is lost and nothing starts it again: `keep` lets them live "
            + "until the next command adopts them, `stop` ends them.", example: "keep")
])
