import SidecarModel
import YAMLReading

/// The reference page of the manifest, from the key table.
package func manifestReference() -> String {
    var page = """
        # The manifest

        Generated from the key table: change it there. `sidecars.yaml` is YAML 1.2; editors check it by \
        [the JSON Schema](../../schemas/sidecars.schema.json).

        A key that is not listed here is an error at every depth. Keys beginning with `x-` are allowed at the top level and \
        in a sidecar, and ignored: a home for anchors.

        """
    page += section("Top level", projectKeys, of: ProjectSpec(name: "", directory: ""), prefix: "")
    page += "\n## Sidecars\n\n" + names + "\n" + table(sidecarKeys, of: SidecarSpec(name: ""), prefix: "")
    page += section("A port in long form", portKeys, of: PortSpec(name: "", wanted: .automatic), prefix: "")
    page += section(
        "A dependency in long form", dependencyKeys, of: DependencySpec(sidecar: "", condition: .started), prefix: "")
    page +=
        "\n## Probes\n\n`health` is one probe, which is the readiness probe, or `startup`, `readiness` and `liveness`.\n"
    page += table(probeKeys, of: Probe(.notify), prefix: "")
    page += section("`http` in long form", httpKeys, of: Probe.HTTP(path: Template("/"), port: .number(1)), prefix: "")
    page += section("`tcp` in long form", tcpKeys, of: TCPCheck(), prefix: "")
    page += section("`file` in long form", fileKeys, of: FileCheck(), prefix: "")
    page += section("`log` in long form", logCheckKeys, of: LogCheck(), prefix: "")
    let events = HookEvent.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    page += "\n## Hooks\n\nThe moments are \(events).\n\n" + hookTimes + "\n\n" + hookFacts
    page += "\n\nEach takes one action:\n"
    page += table(hookKeys, of: HookForm(), prefix: "")
    page += section("A step of `stop.steps`", stepKeys, of: StepForm(), prefix: "")
    page += section("`env_file` in long form", environmentFileKeys, of: EnvironmentFileForm(), prefix: "")
    page += section("A secret", secretSourceKeys, of: SecretForm(), prefix: "")
    page += section("A secret's use in long form", secretUseKeys, of: SecretUseForm(), prefix: "")
    page += section("A limit of `ulimits` in long form", limitKeys, of: LimitForm(), prefix: "")
    page += "\n| limit | of |\n|---|---|\n"
    for name in LimitName.allCases { page += "| `\(name.rawValue)` | \(name.summary) |\n" }
    return page + values
}

private let names = """
    A sidecar's name has lower-case letters, digits, `-` and `_`, begins with a letter or digit, and is at most 63 characters \
    long.
    """

private let hookTimes = """
    Waited for are `pre_start`, whose failure is that of the start, and `pre_stop`, within the grace: what it takes is not
    left for the signals, but for the 2 s (or `grace`, if that is less) that each has in any case. `post_stop` runs once
    nothing of a life is left: the next one may begin beside it, and what it depended on may be stopped. Who has to remove
    something before the next life does that in `pre_start`. The end of the project waits for all hooks that still run, each
    at most its `timeout`.

    How the process ended (`ORCHESTRATE_EXIT_CODE`, or `ORCHESTRATE_SIGNAL`) is known once it has: to `on_crash`, `on_failed`
    and `post_stop`. No hook is told how an earlier life ended.
    """

private let hookFacts = """
    What a hook is told is in its environment, beside the sidecar's own variables, and as one JSON object on its standard input;
    a `webhook` gets the object as the body of its POST. In JSON what is called a number is one, and all else is text.

    | variable | JSON key | what |
    |---|---|---|
    | `ORCHESTRATE_EVENT` | `event` | the moment: `on_crash` |
    | `ORCHESTRATE_PROJECT` | `project` | the project's name |
    | `ORCHESTRATE_SIDECAR` | `sidecar` | the sidecar's name |
    | `ORCHESTRATE_REPLICA` | `replica` | number: which of its instances, from 0 |
    | `ORCHESTRATE_INCARNATION` | `incarnation` | number of the life; each start in the project has a higher one |
    | `ORCHESTRATE_ATTEMPT` | `attempt` | number: failures in a row so far, with this one at `on_crash` |
    | `ORCHESTRATE_MAX_ATTEMPTS` | `max_attempts` | number: `restart.max_attempts`; 0: without limit |
    | `ORCHESTRATE_RESTARTS` | `restarts_total` | number: restarts so far, whoever asked for them |
    | `ORCHESTRATE_REASON` | `reason` | why, as a sentence: `exit 3` |
    | `ORCHESTRATE_EXIT_CODE` | `exit_code` | number: what it exited with; absent until it has, and where a signal ended it |
    | `ORCHESTRATE_SIGNAL` | `signal` | the signal that ended it: `SIGKILL`; absent else |

    Where nobody could see how it ended, both of the last two are absent; a kill for want of memory is `SIGKILL`. What a hook
    prints is in the sidecar's log.
    """

private func section<Owner>(_ title: String, _ group: KeyGroup<Owner>, of owner: Owner, prefix: String) -> String {
    "\n## \(title)\n" + table(group, of: owner, prefix: prefix)
}

private func table<Owner>(_ group: KeyGroup<Owner>, of owner: Owner, prefix: String) -> String {
    "\n| key | takes | default | a change | meaning | example |\n|---|---|---|---|---|---|\n"
        + rows(group, of: owner, prefix: prefix)
}

private func rows<Owner>(_ group: KeyGroup<Owner>, of owner: Owner, prefix: String) -> String {
    var text = ""
    for key in group.keys {
        let fallback = key.defaultNote ?? key.codec.defaultText(in: owner) ?? "none"
        let cells = [
            "`\(prefix)\(key.name)`", key.codec.takes, fallback, key.onChange.sentence, key.summary,
            "`\(key.name): \(key.example)`",
        ]
        text += "| " + cells.map(escaped).joined(separator: " | ") + " |\n"
        if case .group(let inner, _) = key.codec { text += rows(inner, of: owner, prefix: "\(prefix)\(key.name).") }
    }
    return text
}

/// A bar would end the cell.
private func escaped(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
}

extension ChangeEffect {
    fileprivate var sentence: String {
        switch self {
        case .restart: "restarts"
        case .inPlace: "in place"
        case .ignore: "nothing"
        }
    }
}

private let values = """

    ## Values

    - **Scalars** follow the YAML 1.2 core schema: `yes`, `no`, `on` and `off` are text. Values of `env` are the text as \
    written: `0644` stays `0644`.
    - **Durations**: `250ms`, `5s`, `1.5s`, `1m30s`, `2h`, `7d`; the units are `d`, `h`, `m`, `s`, `ms` and `us`, the largest \
    first. **Sizes**: `512KiB`, `10MiB`, `1GB`. A bare number is an error; \
    `0` is fine.
    - **Paths** that are relative start at the manifest's directory.
    - **A `command` in one text** is split as a shell does it: spaces separate, quotes and backslashes keep. No shell runs, \
    so operators and globs are plain text. The split comes first, so a variable never changes the number of words. Single \
    quotes in it (YAML's around it are not in it) switch off `${…}` and `$$` too: `'$$'` is two dollar signs. Double quotes \
    and the list form do not, and `\\$` is a dollar sign.
    - **`defaults`** lie beneath each sidecar: mappings merge by key; lists, the choice of a probe's check, and that between stop \
    steps and a signal with its grace, replace.

    ## Variables

    `${VAR}`, `${VAR:-default}` (also when empty), `${VAR:?message}`, and `$$` for a dollar sign; not within the single quotes \
    of a command in one text. They are looked up in the environment of the command, then in `.env` beside the manifest; \
    never in `env:`. A variable that is not set and has no default is an error. `$VAR` without braces is left alone. In \
    `shell`, `${VAR}` is the shell's, and only references with a dot are replaced.

    ## References

    `${ports.NAME}`, `${sidecars.NAME.ports.PORT}`, `${sidecars.NAME.0.ports.PORT}` (one replica), `${sidecars.NAME.host}`, \
    `${sidecars.NAME.addresses.PORT}` (host:port of all replicas, comma-separated), `${project.name}`, `${project.dir}`, \
    `${project.data}` (writable, kept), `${sidecar.name}`, `${replica}`.

    ## Environment files

    Lines of `NAME=value`; `export ` before the name is ignored. `#` begins a comment at the start of a line or after a \
    space. Single quotes keep everything; double quotes know `\\n`, `\\t`, `\\r`, `\\"`, `\\\\` and `\\$`; quoted values may \
    span lines, and are the whole value. Nothing in them is interpolated. A file is UTF-8 and has at most 1 MiB.

    A sidecar's environment, the later winning: that of whoever started the project, the top level's `env_file`, its `env`, \
    the sidecar's `env_file`, its `env`, and what orchestrate sets (`PORT` and the like). `PWD` is the sidecar's working \
    directory, unless one of these files or mappings sets it; `OLDPWD` and `_` are not inherited.

    ## Limits

    A manifest has at most \(YAMLLimits.bytes >> 20) MiB, \(YAMLLimits.depth) levels, \(YAMLLimits.nodes) keys and values, \
    and aliases that stand for at most \(YAMLLimits.aliasedNodes) of them. It is one document in UTF-8.

    ## Silencing a warning

    `# orchestrate: ignore=<rule>` at the end of the line, or on a line of its own above it. Several rules are separated by \
    commas. Errors can't be silenced. The rules are listed in [rules.md](rules.md).

    """
