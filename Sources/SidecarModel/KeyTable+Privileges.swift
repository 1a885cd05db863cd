/// Where a secret's value comes from, while it is read.
package struct SecretForm: Hashable, Sendable {
    package var file: String?
    package var environment: String?
    package var command: [String]?
    package var length: Int?

    package init() {}
}

package let secretSourceKeys = KeyGroup<SecretForm>([
    ManifestKey(
        "file", .form(.path), default: "one source is required", onChange: .restart,
        "A file; read by the command that brings the project up.", example: "secrets/pg"),
    ManifestKey(
        "env", .optionalText(\.environment), onChange: .restart,
        "A variable of the environment of whoever brings the project up, or of `.env` beside the manifest. Sidecars do "
            + "not inherit it.", example: "PGPASSWORD"),
    ManifestKey(
        "command", .form(.command), onChange: .restart,
        "A command that prints it; run by the command that brings the project up, in the manifest's directory.",
        example: "[pass, show, pg]"),
    ManifestKey(
        "generate", .optionalInteger(8...4096, \.length), onChange: .restart,
        "So many random letters and digits: drawn when the project comes up, kept until it goes down.", example: "32"),
])

/// A secret of a sidecar in its long form, while it is read.
package struct SecretUseForm: Hashable, Sendable {
    package var secret: String?
    package var form: SecretUse.Form = .environment

    package init() {}
}

package let secretUseKeys = KeyGroup<SecretUseForm>([
    ManifestKey(
        "from", .optionalText(\.secret), default: "required", onChange: .restart,
        "The secret, by its name in the top level's `secrets`.", example: "pg"),
    ManifestKey(
        "as", .choice(\.form), onChange: .restart,
        "`env`: the variable holds the value; `file`: it holds the path of a file with the value, 0400 and the "
            + "sidecar's user's, in the directory `\(SecretUse.directoryVariable)` names.", example: "file"),
])

/// A limit in its long form, while it is read.
package struct LimitForm: Hashable, Sendable {
    package var soft: UInt64?
    package var hard: UInt64?

    package init() {}
}

package let limitKeys = KeyGroup<LimitForm>([
    ManifestKey(
        "soft", .form(.softLimit), default: "as inherited", onChange: .restart, "What is in force.", example: "1024"),
    ManifestKey(
        "hard", .form(.hardLimit), default: "as inherited", onChange: .restart,
        "How far the sidecar itself may raise it.", example: "unlimited"),
])

let resourceKeys = KeyGroup<SidecarSpec>([
    ManifestKey(
        "memory", .optionalSize(\.privileges.resources.memory), default: "no limit",
        "Memory; past it the kernel reclaims, and then kills in the sidecar.", example: "512MiB"),
    ManifestKey(
        "cpu", .optionalNumber(0.01...1024, \.privileges.resources.cpu), default: "no limit",
        "CPU time, in CPUs: `0.5` is half of one.", example: "1.5"),
    ManifestKey(
        "pids", .optionalInteger(1...4_194_304, \.privileges.resources.processes), default: "no limit",
        "Processes and threads.", example: "200"),
])

package let staleKeys = KeyGroup<SidecarSpec>([
    ManifestKey(
        "exe", .form(.executable), default: "required",
        "The executable, as an absolute path. Ended are processes of the sidecar's user that have no living parent and "
            + "run exactly this file, or carry the mark of an earlier life of this sidecar.",
        example: "/usr/bin/redis-server")
])
