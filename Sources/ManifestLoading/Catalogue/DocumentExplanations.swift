/// The file and its YAML.
let documentExplanations: [RuleExplanation] = [
    RuleExplanation(
        .manifestNotFound,
        "Without -f the manifest is `sidecars.yaml` or `sidecars.yml` in this directory or one above it."),
    RuleExplanation(
        .manifestUnreadable,
        "The file is there and its text can't be had: permissions, or a directory, FIFO, socket or device."),
    RuleExplanation(
        .emptyManifest, "A manifest says at least which sidecars there are.",
        before: "# nothing yet\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .yamlSyntax, "The text is no YAML, so nothing of it can be understood.",
        before: "sidecars:\n  web:\n    command: [./web\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .yamlTab, "YAML indents with spaces: how wide a tab is, nobody knows.",
        before: "sidecars:\n\tweb:\n\t\tcommand: [./web]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .yamlNeedsQuotes,
        "Some characters mean something to YAML at the beginning of a text or inside brackets: `*` and `&` are aliases and "
            + "anchors, `@`, `%` and a backtick are reserved, `{` and `}` are mappings.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: { ADDRESS: ${HOST} }\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    env: { ADDRESS: \"${HOST:-localhost}\" }\n"),
    RuleExplanation(.yamlInvalidUTF8, "Manifests are UTF-8. Other encodings would be guessed, and guessed wrong."),
    RuleExplanation(
        .yamlControlCharacter, "Control characters can't be seen, and programs disagree on what they mean."),
    RuleExplanation(.yamlTooLarge, "Files over 16 MiB are refused before they are read, to bound time and memory."),
    RuleExplanation(
        .yamlTooDeep, "More than 100 levels are refused: no manifest needs them, and attacks do.",
        before: "x-deep: " + String(repeating: "[", count: 101) + String(repeating: "]", count: 101) + "\n",
        after: "x-deep: [[[]]]\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(.yamlTooManyNodes, "More than 1,000,000 keys and values are refused, to bound time and memory."),
    RuleExplanation(
        .yamlAliasExpansion,
        "Aliases to aliases grow exponentially: ten lines can stand for billions of values. All aliases together may stand "
            + "for 100,000 values.",
        before: "x-a: &a [0,0,0,0,0,0,0,0,0,0]\nx-b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            + "x-c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nx-d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            + "x-e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
        after: "defaults:\n  stop: { grace: 5s }\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .yamlUnknownAlias, "An alias stands for something that was marked with an anchor before it.",
        before: "sidecars:\n  web:\n    command: [./web]\n    env: *common\n",
        after: "x-common: &common { LOG: info }\nsidecars:\n  web:\n    command: [./web]\n    env: *common\n"),
    RuleExplanation(
        .yamlRecursiveAlias, "A value can't contain itself.",
        before: "x-loop: &loop [a, *loop]\nsidecars:\n  web:\n    command: [./web]\n",
        after: "x-list: &list [a, b]\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .yamlDuplicateAnchor, "The later anchor hides the first, and an alias means whichever stands nearer above it.",
        before:
            "x-a: &common { A: one }\nx-b: &common { A: two }\nsidecars:\n  web:\n    command: [./web]\n    env: *common\n",
        after:
            "x-a: &first { A: one }\nx-b: &second { A: two }\nsidecars:\n  web:\n    command: [./web]\n    env: *second\n"
    ),
    RuleExplanation(
        .yamlMultipleDocuments, "A manifest is one document. A second one would be ignored.",
        before: "sidecars:\n  web:\n    command: [./web]\n---\nsidecars:\n  db:\n    command: [./db]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n  db:\n    command: [./db]\n"),
    RuleExplanation(
        .yamlKeyNotText, "Keys are names.",
        before: "sidecars:\n  [web, api]:\n    command: [./web]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .yamlMergeNotMapping, "`<<` takes in the keys of a mapping, or of each mapping of a list.",
        before: "x-a: &a text\nsidecars:\n  web:\n    <<: *a\n    command: [./web]\n",
        after: "x-a: &a { replicas: 2 }\nsidecars:\n  web:\n    <<: *a\n    command: [./web]\n"),
    RuleExplanation(
        .yamlUnknownTag, "Tags name types, and manifests have none of their own.",
        before: "sidecars:\n  web:\n    command: !argv [./web]\n",
        after: "sidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .duplicateKey, "Of two values for one key, one is lost, and which one depends on the reader.",
        before: "sidecars:\n  web:\n    command: [./web]\n    replicas: 1\n    replicas: 2\n",
        after: "sidecars:\n  web:\n    command: [./web]\n    replicas: 2\n"),
    RuleExplanation(
        .unsupportedVersion, "A manifest of another version of the language may mean something else.",
        before: "version: 3\nsidecars:\n  web:\n    command: [./web]\n",
        after: "version: 1\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .invalidProjectName, "The name becomes part of file names, socket names and metrics.",
        before: "name: My Shop\nsidecars:\n  web:\n    command: [./web]\n",
        after: "name: my-shop\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .invalidProjectID, "The id is compared as it stands, so it has no spaces and no room for doubt.",
        before: "id: my shop\nsidecars:\n  web:\n    command: [./web]\n",
        after: "id: com.example.shop\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .noSidecars, "There is nothing to run.",
        before: "name: shop\n",
        after: "name: shop\nsidecars:\n  web:\n    command: [./web]\n"),
    RuleExplanation(
        .invalidSidecarName, "Names become file names, prefixes of log lines and parts of references.",
        before: "sidecars:\n  Web Server:\n    command: [./web]\n",
        after: "sidecars:\n  web-server:\n    command: [./web]\n"),
    RuleExplanation(
        .keyNotInDefaults,
        "What a sidecar runs and waits for is its own: as a default it would make them all the same.",
        before: "defaults:\n  command: [./web]\nsidecars:\n  web:\n    command: [./web]\n",
        after: "defaults:\n  stop: { grace: 5s }\nsidecars:\n  web:\n    command: [./web]\n"),
]
